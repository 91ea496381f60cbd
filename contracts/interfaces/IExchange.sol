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
    /// @notice Tokens came into an account.
    /// @param account The account.
    /// @param amount Token units.
    event Deposited(AccountId indexed account, uint256 amount);
    /// @notice Tokens left an account, by its owner.
    /// @param account The account.
    /// @param recipient Who got the tokens.
    /// @param amount What left the account, token units; while there is a deficit less is paid, see `DeficitShared`.
    event Withdrawn(AccountId indexed account, address indexed recipient, uint256 amount);
    /// @notice Margin passed between accounts of one owner.
    /// @param from Whose margin shrank.
    /// @param to Whose margin grew.
    /// @param amount Token units.
    event Transferred(AccountId indexed from, AccountId indexed to, uint256 amount);
    /// @notice Two orders met: one fill, at the maker's limit price.
    /// @param market Market id.
    /// @param maker Account of the resting order.
    /// @param taker Account of the incoming order.
    /// @param size Signed contracts that the taker took, WAD; the maker took the negative.
    /// @param value Signed quote amount that the taker took them for, WAD, rounded up; the maker took the negative.
    /// @param price The maker's limit price, WAD.
    /// @param makerFee What the maker paid, WAD quote.
    /// @param takerFee What the taker paid, WAD quote.
    /// @param makerOrder EIP-712 digest of the maker's order.
    /// @param takerOrder EIP-712 digest of the taker's order.
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
    /// @notice A pair of a batch was left out, and undone alone.
    /// @param index Its place in the batch, from 0.
    /// @param reason What settling it reverted with; empty where it ran out of gas.
    event PairRefused(uint256 indexed index, bytes reason);
    /// @notice A market's cumulative funding was brought up to date: an hour with fills is over.
    /// @param market Market id.
    /// @param index Cumulative funding of a long contract, WAD quote per base unit.
    event FundingAccrued(uint16 indexed market, int256 index);
    /// @notice A position paid funding when it was touched, or got it where negative.
    /// @param account The account.
    /// @param market Market id.
    /// @param amount WAD quote, rounded up.
    event FundingPaid(AccountId indexed account, uint16 indexed market, int256 amount);
    /// @notice An account is near liquidation, as anyone has shown. WAD quote.
    /// @param account The account.
    /// @param equity Equity at mark, WAD quote.
    /// @param maintenanceMargin Maintenance margin, WAD quote.
    /// @param initialMargin Initial margin, WAD quote.
    event MarginCalled(AccountId indexed account, int256 equity, uint256 maintenanceMargin, uint256 initialMargin);
    /// @notice Fees of a market were shared out, and the dust of its funding went to its pool.
    /// @param market Market id.
    /// @param toPool To the market's pool, WAD quote; what the pool has no room for is the treasury's.
    /// @param toTreasury To the treasury, WAD quote.
    /// @param toKeepers To the keeper budget, WAD quote.
    /// @param dust What roundings had left in the funding pot, WAD quote.
    event FeesSwept(uint16 indexed market, uint256 toPool, uint256 toTreasury, uint256 toKeepers, uint256 dust);
    /// @notice The treasury took fees out.
    /// @param treasury Who it was.
    /// @param amount What it took, token units; while there is a deficit less is paid, see `DeficitShared`.
    event TreasuryCollected(address indexed treasury, uint256 amount);
    /// @notice A withdrawal, exit or collection was paid in part, because pools have an open deficit.
    /// @param recipient Who got the tokens.
    /// @param amount What was asked for, token units.
    /// @param paid What was paid, token units; the difference lowers the deficit.
    /// @param deficit The open deficit before it, WAD quote.
    event DeficitShared(address indexed recipient, uint256 amount, uint256 paid, uint256 deficit);
    /// @notice A keeper was paid for a round out of the keeper budget, into its first cross account.
    /// @param account The keeper's account.
    /// @param market Market of the round.
    /// @param amount WAD quote.
    event KeeperRewarded(AccountId indexed account, uint16 indexed market, uint256 amount);
    /// @notice A pool's exit left the exchange, at the word of the fund.
    /// @param recipient Who got the tokens.
    /// @param amount What was booked out, token units; while there is a deficit less is paid, see `DeficitShared`.
    event PaidOut(address indexed recipient, uint256 amount);
    /// @notice What a trade asks for follows the market's drawdown.
    /// @param market Market id.
    /// @param stress Steps reached, of four up to the trigger.
    /// @param initialMarginFraction The fraction in force from now on, WAD.
    /// @param priceBand The band in force from now on, WAD; the largest uint64 for none.
    event StressApplied(uint16 indexed market, uint8 stress, uint64 initialMarginFraction, uint64 priceBand);
    /// @notice A market is behind another pool from now on.
    /// @param market Market id.
    /// @param pool Its new pool.
    event MarketMoved(uint16 indexed market, uint16 indexed pool);
    /// @notice An order was cancelled by its owner.
    /// @param account The account.
    /// @param order EIP-712 digest of the order.
    event OrderCancelled(AccountId indexed account, bytes32 indexed order);
    /// @notice All orders of an owner that are not of `epoch` were cancelled.
    /// @param owner Whose orders.
    /// @param epoch The epoch that orders must be signed for from now on.
    event OrdersCancelled(address indexed owner, uint64 epoch);
    /// @notice Part of an account's position passed to a liquidator.
    /// @param account The account.
    /// @param liquidator The account that took it.
    /// @param market Market id.
    /// @param size Signed contracts that passed, WAD; the sign of the position.
    /// @param value Signed quote amount that the liquidator took them for, WAD: at mark less the discount.
    /// @param discount What the liquidator gained by that, WAD quote.
    /// @param fee What the market's pool got, WAD quote.
    /// @param mark Mark price, WAD.
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
    /// @notice An account bought inventory of the market's pool, in its auction.
    /// @param buyer The account.
    /// @param market Market id.
    /// @param size Signed contracts that it took, WAD.
    /// @param value Signed quote amount that it took them for, WAD.
    /// @param price Price of the auction, WAD.
    event InventoryBought(AccountId indexed buyer, uint16 indexed market, int256 size, int256 value, uint256 price);
    /// @notice A pool took over an account's position: one event for each leg.
    /// @param account The account.
    /// @param market Market id.
    /// @param size Signed contracts, WAD.
    /// @param bankruptcyNotional Signed entry of the inventory, WAD quote.
    /// @param equity The account's equity at mark, WAD quote: what the pool gains or, negative, loses on paper.
    /// @param mark Mark price, or the last accepted one where the feed is dead, WAD.
    event TakenOver(
        AccountId indexed account,
        uint16 indexed market,
        int256 size,
        int256 bankruptcyNotional,
        int256 equity,
        uint256 mark
    );
    /// @notice A market was added.
    /// @param market Its id.
    /// @param name Short name, left-aligned.
    /// @param pool The pool that backs it.
    event MarketListed(uint16 indexed market, bytes32 name, uint16 pool);
    /// @notice A market's parameters were set, at its listing or later.
    /// @param market Market id.
    /// @param parameters All of them.
    event ParametersSet(uint16 indexed market, MarketParameters parameters);
    /// @notice The margin rate from which an account may be flagged was set.
    /// @param rate WAD.
    event WarningRateSet(uint64 rate);
    /// @notice Who may collect the treasury's fees was set.
    /// @param treasury Who it is.
    event TreasurySet(address treasury);
    /// @notice The threshold of takeovers was set.
    /// @param ratio Part of the maintenance margin, WAD.
    event BackstopRatioSet(uint64 ratio);
    /// @notice Fund and engine were set, once and for ever.
    /// @param fund The insurance fund.
    /// @param engine The ADL engine.
    event Wired(address fund, address engine);
    /// @notice A market was closed, for ever.
    /// @param market Market id.
    /// @param price Its final price, WAD.
    /// @param settlesAt From when on its positions are settled, seconds.
    event MarketEnded(uint16 indexed market, uint256 price, uint256 settlesAt);
    /// @notice A position of a closed market passed to the pool at the final price.
    /// @param account The account.
    /// @param market Market id.
    /// @param size Signed contracts, WAD.
    /// @param value Signed quote amount, WAD, rounded down.
    event PositionSettled(AccountId indexed account, uint16 indexed market, int256 size, int256 value);
    /// @notice Who may pause was set.
    /// @param guardian Who it is; zero for nobody.
    event GuardianSet(address guardian);
    /// @notice New risk is paused by the guardian.
    /// @param until When it ends by itself, seconds.
    event Paused(uint256 until);
    /// @notice The pause was ended before its time.
    /// @param by The guardian or the owner.
    event PauseEnded(address by);

    /// @notice The id is none of an account: reserved bits are set, or it names a market although it is a cross account's, or none
    /// although it is not.
    /// @param account The account.
    error AccountMalformed(AccountId account);
    /// @notice An isolated account may hold the market that its id names, and no other.
    /// @param account The account.
    /// @param market The market that was asked for.
    error AccountOfOtherMarket(AccountId account, uint16 market);
    /// @notice The market's pool stands behind it alone: only isolated accounts may hold it.
    /// @param market Market id.
    error MarketIsolatedOnly(uint16 market);
    /// @notice A cross account holds as many markets as it may.
    /// @param account The account.
    /// @param most How many it may.
    error LegsExceeded(AccountId account, uint256 most);
    /// @notice All positions of a cross account are in markets of one pool.
    /// @param account The account.
    /// @param market The market that it would hold.
    /// @param pool The pool behind that market.
    error LegOfOtherPool(AccountId account, uint16 market, uint16 pool);
    /// @notice Margin was to pass from an account to itself.
    /// @param account The account.
    error TransferToSelf(AccountId account);
    /// @notice The liquidator's account is the one to be liquidated.
    /// @param account The account.
    error LiquidationOfSelf(AccountId account);
    /// @notice The caller does not own the account.
    /// @param account The account.
    /// @param caller Who called.
    error NotAccountOwner(AccountId account, address caller);
    /// @notice An amount of nothing.
    error AmountZero();
    /// @notice The token moved another amount than it was asked to.
    /// @param expected Token units that were asked for.
    /// @param received Token units that came.
    error DepositShort(uint256 expected, uint256 received);
    /// @notice A withdrawal or transfer would leave less than required.
    /// @param account The account.
    /// @param available Margin after it, funding settled, less unrealized losses, WAD quote.
    /// @param required Initial margin, WAD quote.
    error MarginInsufficient(AccountId account, int256 available, uint256 required);
    /// @notice The order was not signed by the owner of its account, by key or by ERC-1271.
    /// @param account The account.
    /// @param order EIP-712 digest of the order.
    error OrderSignatureInvalid(AccountId account, bytes32 order);
    /// @notice The order's time is over.
    /// @param order EIP-712 digest of the order.
    /// @param expiry Last timestamp that it was good for, seconds.
    error OrderExpired(bytes32 order, uint64 expiry);
    /// @notice The order is not of its owner's present epoch: cancelled with all others, or signed too early.
    /// @param order EIP-712 digest of the order.
    /// @param epoch The order's.
    /// @param current The owner's.
    error OrderEpochNotCurrent(bytes32 order, uint64 epoch, uint64 current);
    /// @notice The order is filled.
    /// @param order EIP-712 digest of the order.
    /// @param filled Contracts filled, WAD.
    /// @param size Contracts of the order, WAD.
    error OrderFilled(bytes32 order, uint256 filled, uint256 size);
    /// @notice The order was cancelled.
    /// @param order EIP-712 digest of the order.
    error OrderCancelledAlready(bytes32 order);
    /// @notice The order has less left than it is to be filled by.
    /// @param order EIP-712 digest of the order.
    /// @param requested Contracts asked for, WAD.
    /// @param remaining Contracts left, WAD.
    error OrderOverfilled(bytes32 order, uint256 requested, uint256 remaining);
    /// @notice The two orders are of different markets.
    /// @param maker Market of the maker's order.
    /// @param taker Market of the taker's order.
    error OrderMarketMismatch(uint16 maker, uint16 taker);
    /// @notice The two orders are of the same side.
    /// @param maker Signed size of the maker's order, WAD.
    /// @param taker Signed size of the taker's order, WAD.
    error OrderSidesEqual(int256 maker, int256 taker);
    /// @notice The order is of no contracts.
    /// @param order EIP-712 digest of the order.
    error OrderSizeZero(bytes32 order);
    /// @notice A reduce-only order would open, grow or flip the position.
    /// @param account The account.
    /// @param position Signed contracts before the fill, WAD.
    /// @param change Signed contracts of the fill, WAD.
    error OrderNotReducing(AccountId account, int256 position, int256 change);
    /// @notice Both orders are of the same account.
    /// @param account The account.
    error OrderWithSelf(AccountId account);
    /// @notice The maker's limit price is zero, or of more than 96 bits.
    /// @param price That price, WAD.
    error OrderPriceOutOfBounds(uint256 price);
    /// @notice The limit prices of the two orders do not meet.
    /// @param makerPrice The maker's, WAD.
    /// @param takerPrice The taker's, WAD.
    error PriceNotCrossed(uint256 makerPrice, uint256 takerPrice);
    /// @notice No contracts would change hands.
    error FillZero();
    /// @notice A fill is too far from mark.
    /// @param price Price of the fill, WAD.
    /// @param mark Mark price, WAD.
    /// @param band How far it may be, as a fraction of mark, WAD.
    error PriceOutsideBand(uint256 price, uint256 mark, uint256 band);
    /// @notice A position would be left smaller than its market allows.
    /// @param account The account.
    /// @param contracts Its contracts, WAD.
    /// @param minSize The smallest, WAD.
    error PositionTooSmall(AccountId account, uint256 contracts, uint256 minSize);
    /// @notice A position would grow beyond what its market allows.
    /// @param account The account.
    /// @param notional Its value at mark, WAD quote.
    /// @param maxNotional The largest, WAD quote.
    error PositionTooLarge(AccountId account, uint256 notional, uint256 maxNotional);
    /// @notice Only the exchange itself settles the pairs of a batch.
    /// @param caller Who called.
    error OnlyWithinBatch(address caller);
    /// @notice An account that holds something and has no equity left cannot trade.
    /// @param account The account.
    /// @param equity Equity at mark, WAD quote.
    error AccountBankrupt(AccountId account, int256 equity);
    /// @notice After the trade the equity would be below the initial margin.
    /// @param account The account.
    /// @param equity Equity after it, WAD quote.
    /// @param required Initial margin after it, WAD quote.
    error InitialMarginInsufficient(AccountId account, int256 equity, uint256 required);
    /// @notice A trade that only reduces would leave a worse margin rate `MM/E`.
    /// @param account The account.
    /// @param equity Equity after it, WAD quote.
    /// @param maintenanceMargin Maintenance margin after it, WAD quote.
    error MarginRateWorse(AccountId account, int256 equity, uint256 maintenanceMargin);
    /// @notice A trade that only reduces would leave less than nothing.
    /// @param account The account.
    /// @param equity Equity after it and its fee, WAD quote.
    error EquityNegative(AccountId account, int256 equity);
    /// @notice The account is not between bankruptcy and its maintenance margin.
    /// @param account The account.
    /// @param equity Equity at mark, WAD quote.
    /// @param maintenanceMargin Maintenance margin of what is exposed: legs in closed markets ask for none, WAD quote.
    error LiquidationNotDue(AccountId account, int256 equity, uint256 maintenanceMargin);
    /// @notice Discount or fee is above 5 %, or the two together are above the maintenance margin fraction.
    /// @param discount WAD.
    /// @param fee WAD.
    /// @param maintenanceMarginFraction WAD.
    error LiquidationFractionsOutOfBounds(uint256 discount, uint256 fee, uint256 maintenanceMarginFraction);
    /// @notice The auction's price is worse than the buyer accepts.
    /// @param price Price of the auction, WAD.
    /// @param limitPrice Worst that the buyer accepts, WAD.
    error AuctionPriceBeyondLimit(uint256 price, uint256 limitPrice);
    /// @notice The account holds nothing there.
    /// @param account The account.
    error PositionMissing(AccountId account);
    /// @notice The account's equity is still above the takeover threshold `backstopRatio * MM`.
    /// @param account The account.
    /// @param equity Equity at mark, WAD quote.
    /// @param maintenanceMargin Maintenance margin of what is exposed: legs in closed markets ask for none, WAD quote.
    error TakeoverNotDue(AccountId account, int256 equity, uint256 maintenanceMargin);
    /// @notice A post-condition of a round does not hold: a solvent counterparty would end insolvent.
    /// @param account The account.
    /// @param equity Its equity after the round, WAD quote.
    error SolventMadeInsolvent(AccountId account, int256 equity);
    /// @notice There is no such market.
    /// @param market Market id.
    error MarketUnlisted(uint16 market);
    /// @notice A market needs a name.
    error MarketNameEmpty();
    /// @notice Another market has, or had, that name.
    /// @param name Short name, left-aligned.
    error MarketNameTaken(bytes32 name);
    /// @notice Open interest would grow beyond the market's limit.
    /// @param market Market id.
    /// @param openInterest What it would be, WAD.
    /// @param maxOpenInterest The limit, WAD.
    error OpenInterestTooLarge(uint16 market, uint256 openInterest, uint256 maxOpenInterest);
    /// @notice Tokens go neither to the zero address nor to the exchange itself.
    /// @param recipient Who was named.
    error RecipientInvalid(address recipient);
    /// @notice The initial fraction is not in [0.5 %, 100 %], or the maintenance fraction is below 0.1 % or not below the initial
    /// one.
    /// @param initialMarginFraction WAD.
    /// @param maintenanceMarginFraction WAD.
    error MarginFractionsOutOfBounds(uint64 initialMarginFraction, uint64 maintenanceMarginFraction);
    /// @notice A trading fee is above 1 %.
    /// @param makerFee WAD.
    /// @param takerFee WAD.
    error TradingFeesOutOfBounds(uint64 makerFee, uint64 takerFee);
    /// @notice The shares of pool and treasury are together above 100 %.
    /// @param poolFeeShare WAD.
    /// @param treasuryFeeShare WAD.
    error FeeSharesOutOfBounds(uint64 poolFeeShare, uint64 treasuryFeeShare);
    /// @notice The price band is below 0.1 %.
    /// @param priceBand WAD.
    error PriceBandOutOfBounds(uint64 priceBand);
    /// @notice The funding cap is above 1 % an hour, or above half of the maintenance margin fraction.
    /// @param fundingCap WAD.
    /// @param maintenanceMarginFraction WAD.
    error FundingCapOutOfBounds(uint64 fundingCap, uint64 maintenanceMarginFraction);
    /// @notice The largest open interest is more than an inventory can hold.
    /// @param maxOpenInterest WAD.
    error MaxOpenInterestOutOfBounds(uint112 maxOpenInterest);
    /// @notice The warning rate is not in [10 %, 100 %].
    /// @param rate WAD.
    error WarningRateOutOfBounds(uint64 rate);
    /// @notice The backstop ratio is not in [10 %, 90 %].
    /// @param ratio WAD.
    error BackstopRatioOutOfBounds(uint64 ratio);
    /// @notice Only the treasury collects its fees.
    /// @param caller Who called.
    error CallerNotTreasury(address caller);
    /// @notice The treasury has less than it asks for.
    /// @param requested WAD quote.
    /// @param available WAD quote.
    error TreasuryExceeded(uint256 requested, uint256 available);
    /// @notice The account is above its initial margin and below the warning rate.
    /// @param account The account.
    /// @param equity Equity at mark, WAD quote.
    /// @param maintenanceMargin Maintenance margin, WAD quote.
    /// @param initialMargin Initial margin, WAD quote.
    error MarginCallNotDue(AccountId account, int256 equity, uint256 maintenanceMargin, uint256 initialMargin);
    /// @notice Fund and engine were set before.
    error AlreadyWired();
    /// @notice Fund and engine are not set yet.
    error NotWired();
    /// @notice An address that is needed is zero.
    error AddressZero();
    /// @notice Only the ADL engine may do this.
    /// @param caller Who called.
    error CallerNotEngine(address caller);
    /// @notice What an account was as of the round is not kept under this id.
    /// @param account The account.
    /// @param round Id of the round.
    /// @param hint The id that was given.
    error HintWrong(AccountId account, uint32 round, uint32 hint);
    /// @notice Only the insurance fund may do this.
    /// @param caller Who called.
    error CallerNotFund(address caller);
    /// @notice A market that cross accounts hold stays with its pool.
    /// @param market Market id.
    /// @param accounts How many cross accounts hold it.
    error MarketHeldInCross(uint16 market, uint256 accounts);
    /// @notice The step is above the initial margin fraction, or the band is below 0.1 % or wider than the usual one.
    /// @param initialMarginStep WAD.
    /// @param stressBand WAD.
    error StressParametersOutOfBounds(uint64 initialMarginStep, uint64 stressBand);
    /// @notice The market was closed: nothing is traded, liquidated or sold there.
    /// @param market Market id.
    error MarketClosed(uint16 market);
    /// @notice The market was not closed.
    /// @param market Market id.
    error MarketNotClosed(uint16 market);
    /// @notice The price at which the market would be closed is not what its owner meant.
    /// @param market Market id.
    /// @param price Mark, or last accepted price where the feed is dead, WAD.
    /// @param lowest Lowest that the owner accepts, WAD.
    /// @param highest Highest that the owner accepts, WAD.
    error FinalPriceOutsideBounds(uint16 market, uint256 price, uint256 lowest, uint256 highest);
    /// @notice The closed market's delay is not over.
    /// @param market Market id.
    /// @param settlesAt From when on its positions are settled, seconds.
    error SettlementNotDue(uint16 market, uint256 settlesAt);
    /// @notice ADL is due in the closed market: a round comes first.
    /// @param market Market id.
    error SettlementWaits(uint16 market);
    /// @notice Only the guardian pauses, and only the guardian or the owner ends a pause.
    /// @param caller Who called.
    error CallerNotGuardian(address caller);
    /// @notice An order would open, grow or flip this account's position while new risk is paused.
    /// @param account The account.
    /// @param until When the pause ends by itself, seconds.
    error NewRiskPaused(AccountId account, uint40 until);
    /// @notice The last pause is on, or over for less than `PAUSE_REST`.
    /// @param until From when on one may pause again, seconds.
    error PauseRests(uint256 until);
    /// @notice There is no pause to end.
    error NotPaused();
    /// @notice A module runs only in the storage of the contract that it belongs to.
    error OnlyByDelegatecall();
    /// @notice The token has more than 18 decimals.
    /// @param decimals How many it has.
    error TokenDecimalsUnsupported(uint8 decimals);

    /// @notice Puts collateral into one of the caller's own accounts.
    /// @param subId Sub-account of the caller; see `AccountId`.
    /// @param amount Token units; the caller has approved them.
    /// @return account The account that got it.
    function deposit(uint96 subId, uint256 amount) external returns (AccountId account);

    /// @notice Takes collateral out. Unrealised profit cannot be withdrawn.
    /// @dev Needs a price only while the account holds a position.
    /// @param account One of the caller's accounts.
    /// @param amount Token units.
    /// @param recipient Who gets the tokens.
    function withdraw(AccountId account, uint256 amount, address recipient) external;

    /// @notice Moves margin between accounts of the caller, by the rules of a withdrawal.
    /// @param from One of the caller's accounts.
    /// @param to Another one of the caller's.
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
    /// @param pairs What `settle` takes, for each.
    /// @return settled How many were settled.
    function settleBatch(Pair[] calldata pairs) external returns (uint256 settled);

    /// @notice One pair of a batch, undone alone where it fails. Only the exchange itself, under the lock of the batch.
    /// @param pair What `settle` takes.
    function settleOne(Pair calldata pair) external;

    /// @notice Cancels one order. Only its account's owner.
    /// @param order The order, as it was signed.
    function cancel(Order calldata order) external;

    /// @notice Cancels every order of the caller, by starting a new epoch: only orders signed for it can be filled from now on.
    function cancelAll() external;

    /// @notice Takes over what of an account's position restores its initial margin, at mark less a discount, onto an account of the
    /// caller; while `0 < E < MM`. Legs in closed markets count for neither margin. The owner also pays a fee to the market's pool, and never more than the closed part of the equity.
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
    /// @param market Market of the inventory.
    /// @param side Side of the inventory: the buyer takes contracts of that side.
    /// @param maxContracts Most contracts to take, WAD; what the pool has is taken if that is less.
    /// @param limitPrice Worst acceptable price, WAD: the highest for a long, the lowest for a short inventory.
    /// @return contracts Contracts taken, WAD.
    function buyInventory(AccountId buyer, uint16 market, Side side, uint256 maxContracts, uint256 limitPrice)
        external
        returns (uint256 contracts);

    /// @notice The pool takes over all positions of an account at their bankruptcy prices, once `E <= backstopRatio * MM`. By anyone; a
    /// leg with a dead feed counts at its last accepted price.
    /// @param account The account.
    function takeOver(AccountId account) external;

    /// @notice Pays the accounts that hold a closed market its final price, once the delay is over: each position passes to the pool at
    /// that price, its value rounded down. By anyone, in any order; those who are not in the market are passed over. The bankrupt are taken over
    /// first. What the pool then has on both sides closes against each other, before anything else and after each payment; while ADL is due for
    /// the rest nobody else is settled.
    /// @param market Market id.
    /// @param accounts Any accounts, in any order.
    /// @return settled How many were settled or taken over.
    function settleClosed(uint16 market, AccountId[] calldata accounts) external returns (uint256 settled);

    /// @notice Tells of an account whose margin rate `MM/E` is above the warning rate, or whose equity is below its initial margin,
    /// with an event. By anyone; it changes nothing.
    /// @param account The account.
    function flag(AccountId account) external;

    /// @notice Brings a market's funding up to date. By anyone; everything that needs it does it first.
    /// @param market Market id.
    function accrue(uint16 market) external;

    /// @notice Shares out the trading fees of a market between its pool, the treasury and the keeper budget. By anyone.
    /// @param market Market id.
    function sweep(uint16 market) external;

    /// @notice Pays fees out to the treasury, which alone may call this.
    /// @param amount Token units.
    function collect(uint256 amount) external;

    /// @notice Adds a market, backed by a pool; its id is the next one. It trades as soon as its feed is set. Only the owner.
    /// @param name Short name, left-aligned, not empty, not given before.
    /// @param pool A pool of the fund that has room.
    /// @param parameters See `MarketParameters`; bounds in `MarketModule`.
    /// @return id Its id.
    function listMarket(bytes32 name, uint16 pool, MarketParameters calldata parameters) external returns (uint16 id);

    /// @notice Changes a market's parameters, after its funding is accrued and its fees are shared out by the old ones. Only the owner.
    /// @param market Market id.
    /// @param parameters All of them: what stays as it is too.
    function setParameters(uint16 market, MarketParameters calldata parameters) external;

    /// @notice Puts a market under another pool of the fund: while it has no inventory, has lost nothing in the last eight hours and no
    /// cross account holds it. Funding is accrued and fees are shared out before. Only the owner.
    /// @param market Market id.
    /// @param pool A pool of the fund that has room.
    function moveMarket(uint16 market, uint16 pool) external;

    /// @notice Ends a market at its mark, or at its last accepted price where its feed is dead, for ever: no order is filled there, nothing is
    /// liquidated or sold, funding stands, and after a day anyone may settle its positions. Only the owner, who says between which prices.
    /// @param market Market id.
    /// @param lowest Lowest final price, WAD.
    /// @param highest Highest final price, WAD.
    function closeMarket(uint16 market, uint256 lowest, uint256 highest) external;

    /// @notice Sets the takeover threshold, WAD, in [10 %, 90 %] of the maintenance margin. Default 50 %. Only the owner.
    /// @param ratio WAD.
    function setBackstopRatio(uint64 ratio) external;

    /// @notice Sets the margin rate from which an account may be flagged, WAD, in [10 %, 100 %]. Default 80 %. Only the owner.
    /// @param rate WAD.
    function setWarningRate(uint64 rate) external;

    /// @notice Sets who may collect the treasury's fees. Only the owner.
    /// @param treasury Neither the zero address nor the exchange.
    function setTreasury(address treasury) external;

    /// @notice Sets who may pause; the zero address for nobody. A pause that is on goes on, and the rest after it too. Only the owner.
    /// @param guardian Who it is to be.
    function setGuardian(address guardian) external;

    /// @notice Pauses new risk for `MAX_PAUSE`: orders that would open, grow or flip a position of either side, and stakes. Nothing else
    /// stops, and it ends by itself. Not before the last pause has been over for `PAUSE_REST`. Only the guardian.
    function pause() external;

    /// @notice Ends a pause before its time. Only the guardian or the owner.
    function endPause() external;

    /// @notice Pays tokens that the fund has booked out. Only the fund.
    /// @param recipient Who gets the tokens.
    /// @param amount Token units.
    /// @return paid Token units that were paid: less while there is an open deficit.
    function payOut(address recipient, uint256 amount) external returns (uint256 paid);

    /// @notice Lets a market's initial margin and price band follow its drawdown, as its parameters say. Only the fund.
    /// @param market Market id.
    /// @param stress Steps reached, of four up to the trigger.
    /// @param adlOn Whether ADL is on.
    function applyStress(uint16 market, uint8 stress, bool adlOn) external;

    /// @notice Applies the fills of a round to the counterparties. Only the ADL engine.
    /// @param round What the fills have in common.
    /// @param fills What passes from the pool to each counterparty.
    /// @return cashChange Sum of the changes of the accounts' cash as stored, WAD quote.
    function applyDeleverage(Execution calldata round, Fill[] calldata fills) external returns (int256 cashChange);

    /// @notice Pays a keeper out of the keeper budget, into its first cross account. Only the ADL engine.
    /// @param keeper Owner of the account.
    /// @param market Market of the round.
    /// @param notional What was closed, at mark, WAD quote: the most that is paid is what trading it brings to the budget.
    /// @param wanted What it is to get, WAD quote.
    /// @return paid What it got, WAD quote.
    function rewardKeeper(address keeper, uint16 market, uint256 notional, uint256 wanted)
        external
        returns (uint256 paid);

    /// @notice Who may pause; zero for nobody.
    /// @return The guardian.
    function guardian() external view returns (address);

    /// @notice From when on the positions of a closed market are settled, seconds; 0 for a market that is open.
    /// @param market Market id.
    /// @return Seconds.
    function settlesAt(uint16 market) external view returns (uint256);

    /// @notice When the last pause ends or ended, seconds; 0 where there was none.
    /// @return Seconds.
    function pausedUntil() external view returns (uint256);

    /// @notice How long a pause lasts, seconds.
    /// @return Seconds.
    // solhint-disable-next-line func-name-mixedcase
    function MAX_PAUSE() external view returns (uint256);

    /// @notice How long nobody can pause again after one, seconds: as long as an owner behind a timelock takes to replace a guardian.
    /// @return Seconds.
    // solhint-disable-next-line func-name-mixedcase
    function PAUSE_REST() external view returns (uint256);

    /// @notice What scoring needs of accounts in a market, at mark.
    /// @param market Market id.
    /// @param accounts The accounts.
    /// @param mark Mark price, WAD.
    /// @return One for each account, in order; flat where it holds nothing there.
    function exposures(uint16 market, AccountId[] calldata accounts, uint256 mark)
        external
        view
        returns (Exposure[] memory);

    /// @notice Where an account stands at mark (the last accepted price where a feed is dead), with funding settled.
    /// @param account The account.
    /// @return See `Health`.
    function health(AccountId account) external view returns (Health memory);

    /// @notice The raw position of an account in a market.
    /// @param account The account.
    /// @param market Market id.
    /// @return As stored: funding since it was last settled is not in it.
    function position(AccountId account, uint16 market) external view returns (Position memory);

    /// @notice A market's parameters, open interest and funding as stored.
    /// @param id Market id.
    /// @return As stored.
    function market(uint16 id) external view returns (Market memory);

    /// @notice A market's `mmf`, WAD.
    /// @param id Market id.
    /// @return WAD.
    function maintenanceMarginFraction(uint16 id) external view returns (uint64);

    /// @notice How many maintenance margin fractions a market has had, the present one included.
    /// @param id Market id.
    /// @return How many; the last is in force.
    function maintenanceVersion(uint16 id) external view returns (uint256);

    /// @notice One of them, WAD; 0 where there was none.
    /// @param id Market id.
    /// @param version From 1.
    /// @return WAD.
    function maintenanceMarginFractionOf(uint16 id, uint256 version) external view returns (uint64);

    /// @notice The markets whose positions count for a round in one of them: itself, and where its pool is shared those that cross
    /// accounts hold. Ascending.
    /// @param id Market id.
    /// @return Their ids.
    function roundMarkets(uint16 id) external view returns (uint16[] memory);

    /// @notice A position as it was when a round began, as stored then; flat where the account was deleveraged in that round.
    /// @dev For rounds that may still be challenged; what was not touched since is read live. A position that a later round
    /// has closed whole, and that was not touched in between, is flat too.
    /// @param account The account.
    /// @param market Market id.
    /// @param round From 1.
    /// @param hint The id that it is kept under, where the caller knows it: then nothing is looked for. 0 looks for it.
    /// @return held The position.
    /// @return kept The id that it is kept under; 0 where it is read live.
    function positionAsOf(AccountId account, uint16 market, uint32 round, uint32 hint)
        external
        view
        returns (Position memory held, uint32 kept);

    /// @notice The margin and the legs of a cross account as they were when a round began.
    /// @param account The account.
    /// @param round Id of the round.
    /// @param hint As for positions.
    /// @return cross The cross account; without margin and legs where it was never touched.
    /// @return kept The id that it is kept under; 0 where it is read live.
    function crossAccountAsOf(AccountId account, uint32 round, uint32 hint)
        external
        view
        returns (CrossAccount memory cross, uint32 kept);

    /// @notice A market's cumulative funding index as it would be accrued now, WAD quote per base unit.
    /// @param id Market id.
    /// @return The index.
    function fundingIndex(uint16 id) external view returns (int256);

    /// @notice A cross account's margin, as stored, and its markets.
    /// @param account The account.
    /// @return As stored.
    function crossAccount(AccountId account) external view returns (CrossAccount memory);

    /// @notice Number of cross accounts that were ever touched.
    /// @return How many.
    function crossAccountCount() external view returns (uint256);

    /// @notice The `index`-th of them.
    /// @param index From 0.
    /// @return The account.
    function crossAccountAt(uint256 index) external view returns (AccountId);

    /// @notice Who may collect the treasury's fees, and what waits for it and for keepers, WAD quote.
    /// @return treasury Who may collect.
    /// @return treasuryBalance What waits for it, WAD quote.
    /// @return keeperBudget What waits for keepers, WAD quote.
    function reserves() external view returns (address treasury, uint256 treasuryBalance, uint256 keeperBudget);

    /// @notice The margin rate from which an account may be flagged, WAD.
    /// @return WAD.
    function warningRate() external view returns (uint64);

    /// @notice Number of markets; their ids are 1 to this.
    /// @return How many.
    function marketCount() external view returns (uint16);

    /// @notice Number of accounts that ever deposited for or traded in a market.
    /// @param marketId Market id.
    /// @return How many, cross accounts included.
    function accountCount(uint16 marketId) external view returns (uint256);

    /// @notice The `index`-th of them.
    /// @param marketId Market id.
    /// @param index From 0.
    /// @return The account.
    function accountAt(uint16 marketId, uint256 index) external view returns (AccountId);

    /// @notice Contracts of a side that accounts hold, pools left out, WAD.
    /// @param marketId Market id.
    /// @param side Side of the positions.
    /// @return Contracts, WAD.
    function accountsOpenInterest(uint16 marketId, Side side) external view returns (uint256);

    /// @notice EIP-712 digest that the owner of an order's account signs.
    /// @param order The order.
    /// @return The digest.
    function orderHash(Order calldata order) external view returns (bytes32);

    /// @notice Contracts of an order that are filled, WAD; the largest uint256 where it was cancelled.
    /// @param order EIP-712 digest of the order.
    /// @return Contracts, WAD.
    function filled(bytes32 order) external view returns (uint256);

    /// @notice The present order epoch of an owner.
    /// @param owner Owner of accounts.
    /// @return The epoch that orders must be signed for, from 0.
    function orderEpoch(address owner) external view returns (uint64);

    /// @notice Takeover is due at `E <= backstopRatio * MM`; WAD.
    /// @return WAD.
    function backstopRatio() external view returns (uint64);

    /// @notice What one token unit is in WAD.
    /// @return 10 to the power of 18 less the token's decimals.
    function tokenScale() external view returns (uint256);

    /// @notice The collateral token.
    /// @return Its address.
    function token() external view returns (address);

    /// @notice The insurance fund.
    /// @return Its address.
    function fund() external view returns (address);

    /// @notice The ADL engine.
    /// @return Its address.
    function engine() external view returns (address);

    /// @notice The immutable module that carries the settlement of orders.
    /// @return Its address.
    function settlementModule() external view returns (address);

    /// @notice The immutable module that carries liquidation, takeover, the sale of inventory and the fills of rounds.
    /// @return Its address.
    function solvencyModule() external view returns (address);

    /// @notice The immutable module that carries listing, parameters and fees.
    /// @return Its address.
    function marketModule() external view returns (address);
}
