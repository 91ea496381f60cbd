// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Order} from "../libraries/Orders.sol";
import {AccountId} from "../types/AccountId.sol";
import {Market, Side} from "../types/Market.sol";
import {Exposure, Position} from "../types/Position.sol";
import {Fill} from "../types/Round.sol";

/// @title The exchange: accounts, signed-order settlement, margin, takeover
/// @notice Holds all tokens of the system. Internal amounts are WAD; token amounts are in the token's own units. Formulas and
/// roundings: docs/mathematics.md. Assumes a collateral token without fees on transfer, rebasing or more than 18 decimals.
interface IExchange {
    /// @notice Tokens came into an account. `amount` in token units.
    event Deposited(AccountId indexed account, uint256 amount);
    /// @notice Tokens left an account. `amount` in token units.
    event Withdrawn(AccountId indexed account, address indexed recipient, uint256 amount);
    /// @notice Two orders met. `size` and `value` are what the taker took, signed, WAD; the maker took their negatives.
    event Settled(
        uint16 indexed market,
        AccountId indexed maker,
        AccountId indexed taker,
        int256 size,
        int256 value,
        uint256 price,
        bytes32 makerOrder,
        bytes32 takerOrder
    );
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
    event LiquidationFractionsSet(uint16 indexed market, uint64 discount, uint64 fee);
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
    event MarketListed(
        uint16 indexed market, bytes32 name, uint64 initialMarginFraction, uint64 maintenanceMarginFraction
    );
    event MarginFractionsSet(uint16 indexed market, uint64 initialMarginFraction, uint64 maintenanceMarginFraction);
    event BackstopRatioSet(uint64 ratio);
    event Wired(address fund, address engine);

    error AccountMalformed(AccountId account);
    error AccountCrossUnsupported(AccountId account);
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
    error OrderAccountOfOtherMarket(AccountId account, uint16 market);
    error OrderSidesEqual(int256 maker, int256 taker);
    error OrderSizeZero(bytes32 order);
    error OrderNotReducing(AccountId account, int256 position, int256 change);
    error OrderWithSelf(AccountId account);
    error OrderPriceOutOfBounds(uint256 price);
    error PriceNotCrossed(uint256 makerPrice, uint256 takerPrice);
    error FillZero();
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
    /// @notice Open interest would pass what an inventory can hold. WAD.
    error OpenInterestTooLarge(uint16 market, uint256 openInterest);
    error RecipientInvalid(address recipient);
    error MarginFractionsOutOfBounds(uint64 initialMarginFraction, uint64 maintenanceMarginFraction);
    error BackstopRatioOutOfBounds(uint64 ratio);
    error AlreadyWired();
    error NotWired();
    error AddressZero();
    error CallerNotEngine(address caller);
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

    /// @notice Cancels one order. Only its account's owner.
    function cancel(Order calldata order) external;

    /// @notice Cancels every order of the caller, by starting a new epoch: only orders signed for it can be filled from now on.
    function cancelAll() external;

    /// @notice Takes over what of an account's position restores its initial margin, at mark less a discount, onto an account of the
    /// caller; while `0 < E < MM`. The owner also pays a fee to the market's pool, and never more than the closed part of the equity.
    /// @param account Whose position is closed.
    /// @param liquidator An account of the caller in the same market, which must meet its own margin rules afterwards.
    /// @param maxContracts Most contracts to take, WAD.
    /// @return closed Contracts taken, WAD.
    function liquidate(AccountId account, AccountId liquidator, uint256 maxContracts) external returns (uint256 closed);

    /// @notice Buys inventory of the pool of an account's market, in its Dutch auction, at the live price.
    /// @param buyer An account of the caller, which must meet its own margin rules afterwards.
    /// @param side Side of the inventory: the buyer takes contracts of that side.
    /// @param maxContracts Most contracts to take, WAD; what the pool has is taken if that is less.
    /// @param limitPrice Worst acceptable price, WAD: the highest for a long, the lowest for a short inventory.
    /// @return contracts Contracts taken, WAD.
    function buyInventory(AccountId buyer, Side side, uint256 maxContracts, uint256 limitPrice)
        external
        returns (uint256 contracts);

    /// @notice The market's pool takes over an account at its bankruptcy price, once `E <= backstopRatio * MM`. By anyone.
    function takeOver(AccountId account) external;

    /// @notice Applies the fills of a round to the counterparties. Only the ADL engine.
    /// @param market The market.
    /// @param fills What passes from the pool to each counterparty.
    /// @param netted Contracts netted within the pool, WAD.
    /// @param mark Mark price of the round, WAD; none of the accounts may end insolvent at it.
    /// @return cashChange Sum of the changes of the accounts' cash as stored, WAD quote.
    function applyDeleverage(uint16 market, Fill[] calldata fills, uint256 netted, uint256 mark)
        external
        returns (int256 cashChange);

    /// @notice What scoring needs of accounts in a market, at mark.
    function exposures(uint16 market, AccountId[] calldata accounts, uint256 mark)
        external
        view
        returns (Exposure[] memory);

    /// @notice The raw position of an account in a market.
    function position(AccountId account, uint16 market) external view returns (Position memory);

    /// @notice A market's parameters and open interest.
    function market(uint16 id) external view returns (Market memory);

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

    /// @notice The immutable module that carries takeover and the settlement of rounds.
    function solvencyModule() external view returns (address);
}
