// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Order} from "../libraries/Orders.sol";
import {AccountId} from "../types/AccountId.sol";
import {Market, MarketParameters, Side} from "../types/Market.sol";
import {CrossAccount, Exposure, Health, Position} from "../types/Position.sol";
import {Execution, Fill, Pair} from "../types/Round.sol";

/// @title The exchange: accounts, signed-order settlement, margin, takeover
/// @notice Holds all tokens of the system. Internal amounts are WAD; token amounts are in the token's own units. Formulas and
/// roundings: docs/mathematics.md. Assumes a collateral token without fees on transfer, rebasing or more than 18 decimals.
interface IExchange {
    /// @notice Tokens came into an account. `amount` in token units.
    event Deposited(AccountId indexed account, uint256 amount);
    /// @notice Tokens left an account. `amount` in token units.
    event Withdrawn(AccountId indexed account, address indexed recipient, uint256 amount);
    /// @notice Margin passed between accounts of one owner. `amount` in token units.
    event Transferred(AccountId indexed from, AccountId indexed to, uint256 amount);
    /// @notice Two orders met. `size` and `value` are what the taker took, signed, WAD; the maker took their
    /// negatives. Fees in WAD quote.
    event Settled(
        uint16 indexed market,
        AccountId indexed maker,
        AccountId indexed taker,
        int256 size,
        int256 value,
        uint256 price,
        uint256 makerFee,
        uint256 takerFee,
        bytes32 makerOrder,
        bytes32 takerOrder
    );
    /// @notice A pair of a batch was left out; `reason` is what settling it reverted with.
    event PairRefused(uint256 indexed index, bytes reason);
    /// @notice A market's cumulative funding was brought up to date. WAD quote per base unit.
    event FundingAccrued(uint16 indexed market, int256 index);
    /// @notice A position paid funding, or got it where negative. WAD quote.
    event FundingPaid(AccountId indexed account, uint16 indexed market, int256 amount);
    /// @notice An account is near liquidation, as anyone has shown. WAD quote.
    event MarginCalled(AccountId indexed account, int256 equity, uint256 maintenanceMargin, uint256 initialMargin);
    /// @notice Fees of a market were shared out, and the dust of its funding went to its pool. WAD quote.
    event FeesSwept(uint16 indexed market, uint256 toPool, uint256 toTreasury, uint256 toKeepers, uint256 dust);
    /// @notice The treasury took tokens. `amount` in token units.
    event TreasuryCollected(address indexed treasury, uint256 amount);
    /// @notice A withdrawal was paid in part, because pools have an open deficit. `amount` and `paid` in token units, the deficit before
    /// it in WAD quote.
    event DeficitShared(address indexed recipient, uint256 amount, uint256 paid, uint256 deficit);
    /// @notice A keeper was paid out of the keeper budget, into an account of its own. WAD quote.
    event KeeperRewarded(AccountId indexed account, uint16 indexed market, uint256 amount);
    /// @notice A staker was paid out of a pool. Token units.
    event PaidOut(address indexed recipient, uint256 amount);
    /// @notice What a trade asks for follows the market's drawdown: fractions in force, WAD.
    event StressApplied(uint16 indexed market, uint8 stress, uint64 initialMarginFraction, uint64 priceBand);
    event MarketMoved(uint16 indexed market, uint16 indexed pool);
    /// @notice An order was cancelled by its owner.
    event OrderCancelled(AccountId indexed account, bytes32 indexed order);
    /// @notice All orders of an owner that are not of `epoch` were cancelled.
    event OrdersCancelled(address indexed owner, uint64 epoch);
    /// @notice Part of an account's position passed to a liquidator.
    /// @param size Signed contracts that passed, WAD; the sign of the position.
    /// @param value Signed quote amount that the liquidator took them for, WAD: at mark less the discount.
    /// @param discount What the liquidator gained by that, WAD quote.
    /// @param fee What the market's pool got, WAD quote.
    event Liquidated(
        AccountId indexed account,
        AccountId indexed liquidator,
        uint16 indexed market,
        int256 size,
        int256 value,
        uint256 discount,
        uint256 fee,
        uint256 mark
    );
    /// @notice An account bought inventory of the market's pool. Signed size and value, WAD; `price` is the auction's.
    event InventoryBought(AccountId indexed buyer, uint16 indexed market, int256 size, int256 value, uint256 price);
    /// @notice A pool took over an account's position.
    /// @param size Signed contracts, WAD.
    /// @param bankruptcyNotional Signed entry of the inventory, WAD quote.
    /// @param equity The account's equity at mark, WAD quote: what the pool gains or, negative, loses on paper.
    event TakenOver(
        AccountId indexed account,
        uint16 indexed market,
        int256 size,
        int256 bankruptcyNotional,
        int256 equity,
        uint256 mark
    );
    event MarketListed(uint16 indexed market, bytes32 name, uint16 pool);
    event ParametersSet(uint16 indexed market, MarketParameters parameters);
    event WarningRateSet(uint64 rate);
    event TreasurySet(address treasury);
    event BackstopRatioSet(uint64 ratio);
    event Wired(address fund, address engine);
    /// @notice A market was closed at its final price, WAD; its positions are settled from `settlesAt` on, seconds.
    event MarketEnded(uint16 indexed market, uint256 price, uint256 settlesAt);
    /// @notice A position of a closed market passed to the pool at the final price: signed contracts and quote amount, WAD.
    event PositionSettled(AccountId indexed account, uint16 indexed market, int256 size, int256 value);
    event GuardianSet(address guardian);
    /// @notice New risk is paused until then, seconds, unless the pause is ended before.
    event Paused(uint256 until);
    /// @notice The pause was ended before its time.
    event PauseEnded(address by);

    error AccountMalformed(AccountId account);
    /// @notice An isolated account may hold the market that its id names, and no other.
    error AccountOfOtherMarket(AccountId account, uint16 market);
    /// @notice The market's pool stands behind it alone: only isolated accounts may hold it.
    error MarketIsolatedOnly(uint16 market);
    error LegsExceeded(AccountId account, uint256 most);
    /// @notice All positions of a cross account are in markets of one pool.
    error LegOfOtherPool(AccountId account, uint16 market, uint16 pool);
    error TransferToSelf(AccountId account);
    error LiquidationOfSelf(AccountId account);
    error NotAccountOwner(AccountId account, address caller);
    error AmountZero();
    error DepositShort(uint256 expected, uint256 received);
    /// @notice A withdrawal would leave less than required. Both in WAD quote.
    error MarginInsufficient(AccountId account, int256 available, uint256 required);
    error OrderSignatureInvalid(AccountId account, bytes32 order);
    error OrderExpired(bytes32 order, uint64 expiry);
    error OrderEpochNotCurrent(bytes32 order, uint64 epoch, uint64 current);
    error OrderFilled(bytes32 order, uint256 filled, uint256 size);
    error OrderCancelledAlready(bytes32 order);
    error OrderOverfilled(bytes32 order, uint256 requested, uint256 remaining);
    error OrderMarketMismatch(uint16 maker, uint16 taker);
    error OrderSidesEqual(int256 maker, int256 taker);
    error OrderSizeZero(bytes32 order);
    error OrderNotReducing(AccountId account, int256 position, int256 change);
    error OrderWithSelf(AccountId account);
    error OrderPriceOutOfBounds(uint256 price);
    error PriceNotCrossed(uint256 makerPrice, uint256 takerPrice);
    error FillZero();
    /// @notice A fill is too far from mark. WAD.
    error PriceOutsideBand(uint256 price, uint256 mark, uint256 band);
    /// @notice Contracts, WAD.
    error PositionTooSmall(AccountId account, uint256 contracts, uint256 minSize);
    /// @notice Notional at mark, WAD quote.
    error PositionTooLarge(AccountId account, uint256 notional, uint256 maxNotional);
    error OnlyWithinBatch(address caller);
    error AccountBankrupt(AccountId account, int256 equity);
    error InitialMarginInsufficient(AccountId account, int256 equity, uint256 required);
    error MarginRateWorse(AccountId account, int256 equity, uint256 maintenanceMargin);
    error EquityNegative(AccountId account, int256 equity);
    /// @notice The account is not between bankruptcy and its maintenance margin. Both in WAD quote.
    error LiquidationNotDue(AccountId account, int256 equity, uint256 maintenanceMargin);
    error LiquidationFractionsOutOfBounds(uint256 discount, uint256 fee, uint256 maintenanceMarginFraction);
    /// @notice The auction's price is worse than the buyer accepts. WAD.
    error AuctionPriceBeyondLimit(uint256 price, uint256 limitPrice);
    error PositionMissing(AccountId account);
    /// @notice The account's equity is still above the takeover threshold `backstopRatio * MM`. Both in WAD quote.
    error TakeoverNotDue(AccountId account, int256 equity, uint256 maintenanceMargin);
    /// @notice A post-condition of a round does not hold. WAD quote.
    error SolventMadeInsolvent(AccountId account, int256 equity);
    error MarketUnlisted(uint16 market);
    error MarketNameEmpty();
    error MarketNameTaken(bytes32 name);
    /// @notice Open interest would grow beyond the market's limit. WAD.
    error OpenInterestTooLarge(uint16 market, uint256 openInterest, uint256 maxOpenInterest);
    error RecipientInvalid(address recipient);
    error MarginFractionsOutOfBounds(uint64 initialMarginFraction, uint64 maintenanceMarginFraction);
    error TradingFeesOutOfBounds(uint64 makerFee, uint64 takerFee);
    error FeeSharesOutOfBounds(uint64 poolFeeShare, uint64 treasuryFeeShare);
    error PriceBandOutOfBounds(uint64 priceBand);
    error FundingCapOutOfBounds(uint64 fundingCap, uint64 maintenanceMarginFraction);
    error MaxOpenInterestOutOfBounds(uint112 maxOpenInterest);
    error WarningRateOutOfBounds(uint64 rate);
    error BackstopRatioOutOfBounds(uint64 ratio);
    error CallerNotTreasury(address caller);
    /// @notice WAD quote.
    error TreasuryExceeded(uint256 requested, uint256 available);
    /// @notice The account is above its initial margin and below the warning rate. WAD quote.
    error MarginCallNotDue(AccountId account, int256 equity, uint256 maintenanceMargin, uint256 initialMargin);
    error AlreadyWired();
    error NotWired();
    error AddressZero();
    error CallerNotEngine(address caller);
    /// @notice What an account was as of the round is not kept under this id.
    error HintWrong(AccountId account, uint32 round, uint32 hint);
    error CallerNotFund(address caller);
    /// @notice A market that cross accounts hold stays with its pool.
    error MarketHeldInCross(uint16 market, uint256 accounts);
    error StressParametersOutOfBounds(uint64 initialMarginStep, uint64 stressBand);
    /// @notice The market was closed: nothing is traded, liquidated or sold there.
    error MarketClosed(uint16 market);
    error MarketNotClosed(uint16 market);
    /// @notice Its positions are settled from then on, seconds.
    error SettlementNotDue(uint16 market, uint256 settlesAt);
    /// @notice ADL is due in the closed market: a round comes first.
    error SettlementWaits(uint16 market);
    error CallerNotGuardian(address caller);
    /// @notice An order would open, grow or flip this account's position while new risk is paused. Seconds.
    error NewRiskPaused(AccountId account, uint40 until);
    /// @notice The last pause is on, or over for less than `PAUSE_REST`. Seconds.
    error PauseRests(uint256 until);
    error NotPaused();
    error OnlyByDelegatecall();
    error TokenDecimalsUnsupported(uint8 decimals);

    /// @notice Puts collateral into one of the caller's own accounts.
    /// @param subId Sub-account of the caller; see `AccountId`.
    /// @param amount Token units; the caller has approved them.
    function deposit(uint96 subId, uint256 amount) external returns (AccountId account);

    /// @notice Takes collateral out. Unrealised profit cannot be withdrawn.
    /// @dev Needs a price only while the account holds a position.
    /// @param account One of the caller's accounts.
    /// @param amount Token units.
    /// @param recipient Who gets the tokens.
    function withdraw(AccountId account, uint256 amount, address recipient) external;

    /// @notice Moves margin between accounts of the caller, by the rules of a withdrawal.
    /// @param amount Token units.
    function transfer(AccountId from, AccountId to, uint256 amount) external;

    /// @notice Settles two signed orders against each other at the maker's limit price; callable by anyone.
    /// @param maker The resting order, whose price is used.
    /// @param makerSignature EIP-712 signature of the maker account's owner (EOA or ERC-1271).
    /// @param taker The incoming order, of the other side.
    /// @param takerSignature Likewise of the taker account's owner.
    /// @param size Contracts to fill, WAD, at most what remains of either order.
    function settle(
        Order calldata maker,
        bytes calldata makerSignature,
        Order calldata taker,
        bytes calldata takerSignature,
        uint256 size
    ) external;

    /// @notice Settles many pairs; one that fails is left out, with an event that says why, and the others go on.
    /// @return settled How many were settled.
    function settleBatch(Pair[] calldata pairs) external returns (uint256 settled);

    /// @notice One pair of a batch, undone alone where it fails. Only the exchange itself, under the lock of the batch.
    function settleOne(Pair calldata pair) external;

    /// @notice Cancels one order. Only its account's owner.
    function cancel(Order calldata order) external;

    /// @notice Cancels every order of the caller, by starting a new epoch: only orders signed for it can be filled from now on.
    function cancelAll() external;

    /// @notice Takes over what of an account's position restores its initial margin, at mark less a discount, onto an account of the
    /// caller; while `0 < E < MM`. The owner also pays a fee to the market's pool, and never more than the closed part of the equity.
    /// @param account Whose position is closed.
    /// @param market Which of its positions.
    /// @param liquidator An account of the caller that may hold the market, and must meet its own margin rules afterwards.
    /// @param maxContracts Most contracts to take, WAD.
    /// @return closed Contracts taken, WAD.
    function liquidate(AccountId account, uint16 market, AccountId liquidator, uint256 maxContracts)
        external
        returns (uint256 closed);

    /// @notice Buys inventory of a market's pool, in its Dutch auction, at the live price.
    /// @param buyer An account of the caller that may hold the market, and must meet its own margin rules afterwards.
    /// @param side Side of the inventory: the buyer takes contracts of that side.
    /// @param maxContracts Most contracts to take, WAD; what the pool has is taken if that is less.
    /// @param limitPrice Worst acceptable price, WAD: the highest for a long, the lowest for a short inventory.
    /// @return contracts Contracts taken, WAD.
    function buyInventory(AccountId buyer, uint16 market, Side side, uint256 maxContracts, uint256 limitPrice)
        external
        returns (uint256 contracts);

    /// @notice The pool takes over all positions of an account at their bankruptcy prices, once `E <= backstopRatio * MM`. By anyone; a
    /// leg with a dead feed counts at its last accepted price.
    function takeOver(AccountId account) external;

    /// @notice Pays the accounts that hold a closed market its final price, once the delay is over: each position passes to the pool at
    /// that price, its value rounded down. By anyone, in any order; those who are not in the market are passed over. The bankrupt are taken over
    /// first. While ADL is due there nobody else is settled; and when nobody is left the pool's two sides close against each other.
    /// @return settled How many were settled or taken over.
    function settleClosed(uint16 market, AccountId[] calldata accounts) external returns (uint256 settled);

    /// @notice Tells of an account whose margin rate `MM/E` is above the warning rate, or whose equity is below its initial margin,
    /// with an event. By anyone; it changes nothing.
    function flag(AccountId account) external;

    /// @notice Brings a market's funding up to date. By anyone; everything that needs it does it first.
    function accrue(uint16 market) external;

    /// @notice Shares out the trading fees of a market between its pool, the treasury and the keeper budget. By anyone.
    function sweep(uint16 market) external;

    /// @notice Pays fees out to the treasury, which alone may call this.
    /// @param amount Token units.
    function collect(uint256 amount) external;

    /// @notice Adds a market, backed by a pool; its id is the next one. It trades as soon as its feed is set. Only the owner.
    /// @param name Short name, left-aligned, not empty, not given before.
    /// @param pool A pool of the fund that has room.
    /// @param parameters See `MarketParameters`; bounds in `MarketModule`.
    function listMarket(bytes32 name, uint16 pool, MarketParameters calldata parameters) external returns (uint16 id);

    /// @notice Changes a market's parameters, after its funding is accrued and its fees are shared out by the old ones. Only the owner.
    function setParameters(uint16 market, MarketParameters calldata parameters) external;

    /// @notice Puts a market under another pool of the fund: while it has no inventory, has lost nothing in the last eight hours and no
    /// cross account holds it. Funding is accrued and fees are shared out before. Only the owner.
    function moveMarket(uint16 market, uint16 pool) external;

    /// @notice Ends a market at its mark, or at its last accepted price where its feed is dead, for ever: no order is filled there, nothing is
    /// liquidated or sold, funding stands, and after a day anyone may settle its positions. Only the owner.
    function closeMarket(uint16 market) external;

    /// @notice Sets the takeover threshold, WAD, in [10 %, 90 %] of the maintenance margin. Default 50 %. Only the owner.
    function setBackstopRatio(uint64 ratio) external;

    /// @notice Sets the margin rate from which an account may be flagged, WAD, in [10 %, 100 %]. Default 80 %. Only the owner.
    function setWarningRate(uint64 rate) external;

    /// @notice Sets who may collect the treasury's fees. Only the owner.
    function setTreasury(address treasury) external;

    /// @notice Sets who may pause; the zero address for nobody. A pause that is on goes on, and the rest after it too. Only the owner.
    function setGuardian(address guardian) external;

    /// @notice Pauses new risk for `MAX_PAUSE`: orders that would open, grow or flip a position of either side, and stakes. Nothing else
    /// stops, and it ends by itself. Not before the last pause has been over for `PAUSE_REST`. Only the guardian.
    function pause() external;

    /// @notice Ends a pause before its time. Only the guardian or the owner.
    function endPause() external;

    /// @notice Pays tokens that the fund has booked out. Only the fund.
    /// @param amount Token units.
    /// @return paid Token units that were paid: less while there is an open deficit.
    function payOut(address recipient, uint256 amount) external returns (uint256 paid);

    /// @notice Lets a market's initial margin and price band follow its drawdown, as its parameters say. Only the fund.
    /// @param stress Steps reached, of four up to the trigger.
    /// @param adlOn Whether ADL is on.
    function applyStress(uint16 market, uint8 stress, bool adlOn) external;

    /// @notice Applies the fills of a round to the counterparties. Only the ADL engine.
    /// @param fills What passes from the pool to each counterparty.
    /// @return cashChange Sum of the changes of the accounts' cash as stored, WAD quote.
    function applyDeleverage(Execution calldata round, Fill[] calldata fills) external returns (int256 cashChange);

    /// @notice Pays a keeper out of the keeper budget, into its first cross account. Only the ADL engine.
    /// @param notional What was closed, at mark, WAD quote: the most that is paid is what trading it brings to the budget.
    /// @param wanted What it is to get, WAD quote.
    /// @return paid What it got, WAD quote.
    function rewardKeeper(address keeper, uint16 market, uint256 notional, uint256 wanted)
        external
        returns (uint256 paid);

    /// @notice Who may pause; zero for nobody.
    function guardian() external view returns (address);

    /// @notice From when on the positions of a closed market are settled, seconds; 0 for a market that is open.
    function settlesAt(uint16 market) external view returns (uint256);

    /// @notice When the last pause ends or ended, seconds; 0 where there was none.
    function pausedUntil() external view returns (uint256);

    /// @notice How long a pause lasts, seconds.
    // solhint-disable-next-line func-name-mixedcase
    function MAX_PAUSE() external view returns (uint256);

    /// @notice How long nobody can pause again after one, seconds: as long as an owner behind a timelock takes to replace a guardian.
    // solhint-disable-next-line func-name-mixedcase
    function PAUSE_REST() external view returns (uint256);

    /// @notice What scoring needs of accounts in a market, at mark.
    function exposures(uint16 market, AccountId[] calldata accounts, uint256 mark)
        external
        view
        returns (Exposure[] memory);

    /// @notice Where an account stands at mark (the last accepted price where a feed is dead), with funding settled.
    function health(AccountId account) external view returns (Health memory);

    /// @notice The raw position of an account in a market.
    function position(AccountId account, uint16 market) external view returns (Position memory);

    /// @notice A market's parameters, open interest and funding as stored.
    function market(uint16 id) external view returns (Market memory);

    /// @notice A market's `mmf`, WAD.
    function maintenanceMarginFraction(uint16 id) external view returns (uint64);

    /// @notice How many maintenance margin fractions a market has had, the present one included.
    function maintenanceVersion(uint16 id) external view returns (uint256);

    /// @notice One of them, WAD; 0 where there was none.
    /// @param version From 1.
    function maintenanceMarginFractionOf(uint16 id, uint256 version) external view returns (uint64);

    /// @notice The markets whose positions count for a round in one of them: itself, and where its pool is shared those that cross
    /// accounts hold. Ascending.
    function roundMarkets(uint16 id) external view returns (uint16[] memory);

    /// @notice A position as it was when a round began, as stored then; flat where the account was deleveraged in that round.
    /// @dev For rounds that may still be challenged; what was not touched since is read live. A position that a later round
    /// has closed whole, and that was not touched in between, is flat too.
    /// @param round From 1.
    /// @param hint The id that it is kept under, where the caller knows it: then nothing is looked for. 0 looks for it.
    /// @return held The position.
    /// @return kept The id that it is kept under; 0 where it is read live.
    function positionAsOf(AccountId account, uint16 market, uint32 round, uint32 hint)
        external
        view
        returns (Position memory held, uint32 kept);

    /// @notice The margin and the legs of a cross account as they were when a round began.
    /// @param hint As for positions.
    function crossAccountAsOf(AccountId account, uint32 round, uint32 hint)
        external
        view
        returns (CrossAccount memory cross, uint32 kept);

    /// @notice A market's cumulative funding index as it would be accrued now, WAD quote per base unit.
    function fundingIndex(uint16 id) external view returns (int256);

    /// @notice A cross account's margin, as stored, and its markets.
    function crossAccount(AccountId account) external view returns (CrossAccount memory);

    /// @notice Number of cross accounts that were ever touched.
    function crossAccountCount() external view returns (uint256);

    /// @notice The `index`-th of them.
    function crossAccountAt(uint256 index) external view returns (AccountId);

    /// @notice Who may collect the treasury's fees, and what waits for it and for keepers, WAD quote.
    function reserves() external view returns (address treasury, uint256 treasuryBalance, uint256 keeperBudget);

    /// @notice The margin rate from which an account may be flagged, WAD.
    function warningRate() external view returns (uint64);

    /// @notice Number of markets; their ids are 1 to this.
    function marketCount() external view returns (uint16);

    /// @notice Number of accounts that ever deposited for or traded in a market.
    function accountCount(uint16 marketId) external view returns (uint256);

    /// @notice The `index`-th of them.
    function accountAt(uint16 marketId, uint256 index) external view returns (AccountId);

    /// @notice Contracts of a side that accounts hold, pools left out, WAD.
    function accountsOpenInterest(uint16 marketId, Side side) external view returns (uint256);

    /// @notice EIP-712 digest that the owner of an order's account signs.
    function orderHash(Order calldata order) external view returns (bytes32);

    /// @notice Contracts of an order that are filled, WAD; the largest uint256 where it was cancelled.
    function filled(bytes32 order) external view returns (uint256);

    /// @notice The present order epoch of an owner.
    function orderEpoch(address owner) external view returns (uint64);

    /// @notice Takeover is due at `E <= backstopRatio * MM`; WAD.
    function backstopRatio() external view returns (uint64);

    /// @notice What one token unit is in WAD.
    function tokenScale() external view returns (uint256);

    /// @notice The collateral token.
    function token() external view returns (address);

    /// @notice The insurance fund.
    function fund() external view returns (address);

    /// @notice The ADL engine.
    function engine() external view returns (address);

    /// @notice The immutable module that carries the settlement of orders.
    function settlementModule() external view returns (address);

    /// @notice The immutable module that carries liquidation, takeover, the sale of inventory and the fills of rounds.
    function solvencyModule() external view returns (address);

    /// @notice The immutable module that carries listing, parameters and fees.
    function marketModule() external view returns (address);
}
