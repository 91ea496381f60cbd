// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Ownable, Ownable2Step} from "@openzeppelin/contracts/access/Ownable2Step.sol";
import {IERC20Metadata} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Metadata.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {Address} from "@openzeppelin/contracts/utils/Address.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {SignatureChecker} from "@openzeppelin/contracts/utils/cryptography/SignatureChecker.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";

import {ExchangeStorage} from "./ExchangeStorage.sol";
import {IExchange} from "./interfaces/IExchange.sol";
import {IInsuranceFund} from "./interfaces/IInsuranceFund.sol";
import {IPriceFeed} from "./interfaces/IPriceFeed.sol";
import {MarginMath} from "./libraries/MarginMath.sol";
import {Order, Orders} from "./libraries/Orders.sol";
import {WadMath} from "./libraries/WadMath.sol";
import {AccountId, AccountIds} from "./types/AccountId.sol";
import {Market, Side} from "./types/Market.sol";
import {Exposure, Position} from "./types/Position.sol";
import {Fill} from "./types/Round.sol";

/// @title The exchange; its story is told in `IExchange`
contract Exchange is ExchangeStorage, IExchange, EIP712, Ownable2Step, ReentrancyGuardTransient {
    using SafeCast for int256;
    using SafeCast for uint256;
    using SafeERC20 for IERC20Metadata;
    using WadMath for int256;

    /// @notice Bounds of the margin fractions, WAD: leverage of at most 200, `mmf` from 0.1 % and below `imf`.
    uint64 public constant MIN_INITIAL_MARGIN_FRACTION = 0.005e18;
    uint64 public constant MAX_INITIAL_MARGIN_FRACTION = 1e18;
    uint64 public constant MIN_MAINTENANCE_MARGIN_FRACTION = 0.001e18;
    /// @notice Bounds of the takeover threshold, WAD, and its default.
    uint64 public constant MIN_BACKSTOP_RATIO = 0.1e18;
    uint64 public constant MAX_BACKSTOP_RATIO = 0.9e18;
    uint64 public constant DEFAULT_BACKSTOP_RATIO = 0.5e18;

    uint256 private constant CANCELLED = type(uint256).max;

    /// @inheritdoc IExchange
    address public immutable solvencyModule;

    constructor(IERC20Metadata collateral, IPriceFeed feed, address module, address initialOwner)
        ExchangeStorage(collateral, feed)
        EIP712("Backstop", "1")
        Ownable(initialOwner)
    {
        if (module == address(0)) revert AddressZero();
        solvencyModule = module;
        _backstopRatio = DEFAULT_BACKSTOP_RATIO;
        emit BackstopRatioSet(DEFAULT_BACKSTOP_RATIO);
    }

    // ------------------------------------------------------------------ collateral

    /// @inheritdoc IExchange
    function deposit(uint96 subId, uint256 amount) external nonReentrant returns (AccountId account) {
        account = AccountIds.make(msg.sender, subId);
        uint16 marketId = _isolatedMarket(account);
        if (amount == 0) revert AmountZero();
        Position storage held = _positions[account][marketId];
        _enlist(account, marketId, held);
        held.margin = (int256(held.margin) + (amount * _tokenScale).toInt256()).toInt112();
        emit Deposited(account, amount);

        uint256 before = _token.balanceOf(address(this));
        _token.safeTransferFrom(msg.sender, address(this), amount);
        uint256 received = _token.balanceOf(address(this)) - before;
        if (received != amount) revert DepositShort(amount, received);
    }

    /// @inheritdoc IExchange
    function withdraw(AccountId account, uint256 amount, address recipient) external nonReentrant {
        if (account.owner() != msg.sender) revert NotAccountOwner(account, msg.sender);
        // Tokens sent to the exchange itself would belong to nobody.
        if (recipient == address(0) || recipient == address(this)) revert RecipientInvalid(recipient);
        if (amount == 0) revert AmountZero();
        uint16 marketId = _isolatedMarket(account);
        Position storage held = _positions[account][marketId];
        int256 margin = int256(held.margin) - (amount * _tokenScale).toInt256();
        int256 available = margin;
        uint256 required;
        if (held.size != 0) {
            uint256 mark = _priceFeed.markPrice(marketId);
            int256 uPnL = MarginMath.equity(held.size, held.entryNotional, 0, mark);
            required = MarginMath.requirementUp(held.size, mark, _markets[marketId].initialMarginFraction);
            available += uPnL.min(0);
            held.riskBlock = uint40(block.number);
        }
        if (available < int256(required)) revert MarginInsufficient(account, available, required);
        held.margin = margin.toInt112();
        emit Withdrawn(account, recipient, amount);

        _token.safeTransfer(recipient, amount);
    }

    // ------------------------------------------------------------------ orders

    /// @inheritdoc IExchange
    function settle(
        Order calldata maker,
        bytes calldata makerSignature,
        Order calldata taker,
        bytes calldata takerSignature,
        uint256 size
    ) external nonReentrant {
        _checkPair(maker, taker, size);
        bytes32 makerOrder = _useOrder(maker, makerSignature, size);
        bytes32 takerOrder = _useOrder(taker, takerSignature, size);
        _match(maker, taker, size.toInt256(), makerOrder, takerOrder);
    }

    /// @inheritdoc IExchange
    function cancel(Order calldata order) external {
        if (order.account.owner() != msg.sender) revert NotAccountOwner(order.account, msg.sender);
        bytes32 hash = orderHash(order);
        _filled[hash] = CANCELLED;
        emit OrderCancelled(order.account, hash);
    }

    /// @inheritdoc IExchange
    function cancelAll() external {
        uint64 epoch = ++_orderEpoch[msg.sender];
        emit OrdersCancelled(msg.sender, epoch);
    }

    // ------------------------------------------------------------------ solvency, in the module

    /// @inheritdoc IExchange
    function liquidate(AccountId, AccountId, uint256) external nonReentrant returns (uint256 closed) {
        return abi.decode(Address.functionDelegateCall(solvencyModule, msg.data), (uint256));
    }

    /// @inheritdoc IExchange
    function takeOver(AccountId) external nonReentrant {
        Address.functionDelegateCall(solvencyModule, msg.data);
    }

    /// @inheritdoc IExchange
    function buyInventory(AccountId, Side, uint256, uint256) external nonReentrant returns (uint256 contracts) {
        return abi.decode(Address.functionDelegateCall(solvencyModule, msg.data), (uint256));
    }

    /// @inheritdoc IExchange
    function applyDeleverage(uint16, Fill[] calldata, uint256, uint256)
        external
        nonReentrant
        returns (int256 cashChange)
    {
        return abi.decode(Address.functionDelegateCall(solvencyModule, msg.data), (int256));
    }

    // ------------------------------------------------------------------ owner

    /// @notice Sets the fund and the engine, once.
    function wire(IInsuranceFund fund_, address engine_) external onlyOwner {
        if (_engine != address(0)) revert AlreadyWired();
        if (address(fund_) == address(0) || engine_ == address(0)) revert AddressZero();
        (_fund, _engine) = (fund_, engine_);
        emit Wired(address(fund_), engine_);
    }

    /// @notice Adds a market, backed by a pool; its id is the next one. It trades as soon as its feed is set.
    /// @param name Short name, left-aligned, not empty.
    /// @param initialMarginFraction WAD, in [0.5 %, 100 %]; 10 % for 10x leverage.
    /// @param maintenanceMarginFraction WAD, at least 0.1 % and below the initial one.
    /// @param pool A pool of the fund that has room.
    function listMarket(bytes32 name, uint64 initialMarginFraction, uint64 maintenanceMarginFraction, uint16 pool)
        external
        onlyOwner
        returns (uint16 id)
    {
        if (address(_fund) == address(0)) revert NotWired();
        if (name == bytes32(0)) revert MarketNameEmpty();
        if (_nameTaken[name]) revert MarketNameTaken(name);
        _nameTaken[name] = true;
        _checkMarginFractions(initialMarginFraction, maintenanceMarginFraction);
        uint64 quarter = maintenanceMarginFraction / 4;
        id = ++_marketCount;
        _markets[id] = Market({
            initialMarginFraction: initialMarginFraction,
            maintenanceMarginFraction: maintenanceMarginFraction,
            openInterest: 0,
            liquidationDiscount: quarter,
            liquidationFee: quarter,
            name: name
        });
        emit MarketListed(id, name, initialMarginFraction, maintenanceMarginFraction);
        emit LiquidationFractionsSet(id, quarter, quarter);
        _fund.assignMarket(id, pool);
    }

    /// @notice Changes a market's margin fractions; bounds as in `listMarket`.
    function setMarginFractions(uint16 id, uint64 initialMarginFraction, uint64 maintenanceMarginFraction)
        external
        onlyOwner
    {
        if (id == 0 || id > _marketCount) revert MarketUnlisted(id);
        _checkMarginFractions(initialMarginFraction, maintenanceMarginFraction);
        Market storage listed = _markets[id];
        _checkLiquidationFractions(listed.liquidationDiscount, listed.liquidationFee, maintenanceMarginFraction);
        listed.initialMarginFraction = initialMarginFraction;
        listed.maintenanceMarginFraction = maintenanceMarginFraction;
        emit MarginFractionsSet(id, initialMarginFraction, maintenanceMarginFraction);
    }

    /// @notice Sets what a liquidation costs the trader, as fractions of the notional closed; both WAD, their sum at most `mmf`.
    /// Defaults: a quarter of `mmf` each.
    /// @param discount For the liquidator.
    /// @param fee For the market's pool.
    function setLiquidationFractions(uint16 id, uint64 discount, uint64 fee) external onlyOwner {
        if (id == 0 || id > _marketCount) revert MarketUnlisted(id);
        Market storage listed = _markets[id];
        _checkLiquidationFractions(discount, fee, listed.maintenanceMarginFraction);
        (listed.liquidationDiscount, listed.liquidationFee) = (discount, fee);
        emit LiquidationFractionsSet(id, discount, fee);
    }

    /// @notice Sets the takeover threshold, WAD, in [10 %, 90 %] of the maintenance margin. Default 50 %.
    function setBackstopRatio(uint64 ratio) external onlyOwner {
        if (ratio < MIN_BACKSTOP_RATIO || ratio > MAX_BACKSTOP_RATIO) revert BackstopRatioOutOfBounds(ratio);
        _backstopRatio = ratio;
        emit BackstopRatioSet(ratio);
    }

    // ------------------------------------------------------------------ views

    /// @inheritdoc IExchange
    function exposures(uint16 marketId, AccountId[] calldata accounts, uint256 mark)
        external
        view
        returns (Exposure[] memory states)
    {
        uint256 maintenanceFraction = _markets[marketId].maintenanceMarginFraction;
        states = new Exposure[](accounts.length);
        for (uint256 i; i < accounts.length; ++i) {
            Position memory held = _positions[accounts[i]][marketId];
            (int256 equity, uint256 maintenanceMargin) = _state(held, mark, maintenanceFraction);
            states[i] = Exposure(held.size, held.entryNotional, equity, maintenanceMargin);
        }
    }

    /// @inheritdoc IExchange
    function accountsOpenInterest(uint16 marketId, Side side) external view returns (uint256) {
        return _markets[marketId].openInterest - _fund.inventory(marketId, side).abs();
    }

    /// @inheritdoc IExchange
    function position(AccountId account, uint16 marketId) external view returns (Position memory) {
        return _positions[account][marketId];
    }

    /// @inheritdoc IExchange
    function market(uint16 id) external view returns (Market memory) {
        return _markets[id];
    }

    /// @inheritdoc IExchange
    function marketCount() external view returns (uint16) {
        return _marketCount;
    }

    /// @inheritdoc IExchange
    function accountCount(uint16 marketId) external view returns (uint256) {
        return _accounts[marketId].length;
    }

    /// @inheritdoc IExchange
    function accountAt(uint16 marketId, uint256 index) external view returns (AccountId) {
        return _accounts[marketId][index];
    }

    /// @inheritdoc IExchange
    function orderHash(Order calldata order) public view returns (bytes32) {
        return _hashTypedDataV4(Orders.hashStruct(order));
    }

    /// @inheritdoc IExchange
    function filled(bytes32 order) external view returns (uint256) {
        return _filled[order];
    }

    /// @inheritdoc IExchange
    function orderEpoch(address owner_) external view returns (uint64) {
        return _orderEpoch[owner_];
    }

    /// @inheritdoc IExchange
    function backstopRatio() external view returns (uint64) {
        return _backstopRatio;
    }

    /// @inheritdoc IExchange
    function tokenScale() external view returns (uint256) {
        return _tokenScale;
    }

    /// @inheritdoc IExchange
    function token() external view returns (address) {
        return address(_token);
    }

    /// @notice Where mark prices come from.
    function priceFeed() external view returns (address) {
        return address(_priceFeed);
    }

    /// @inheritdoc IExchange
    function fund() external view returns (address) {
        return address(_fund);
    }

    /// @inheritdoc IExchange
    function engine() external view returns (address) {
        return _engine;
    }

    // ------------------------------------------------------------------ internal

    /// @dev Checks an order that is about to be filled by `size`, and counts the fill.
    function _useOrder(Order calldata order, bytes calldata signature, uint256 size) private returns (bytes32 hash) {
        hash = orderHash(order);
        if (order.size == 0) revert OrderSizeZero(hash);
        if (_isolatedMarket(order.account) != order.market) {
            revert OrderAccountOfOtherMarket(order.account, order.market);
        }
        if (block.timestamp > order.expiry) revert OrderExpired(hash, order.expiry);
        address signer = order.account.owner();
        uint64 epoch = _orderEpoch[signer];
        if (order.epoch != epoch) revert OrderEpochNotCurrent(hash, order.epoch, epoch);
        uint256 done = _filled[hash];
        uint256 whole = order.size.abs();
        if (done == CANCELLED) revert OrderCancelledAlready(hash);
        if (done == whole) revert OrderFilled(hash, done, whole);
        if (size > whole - done) revert OrderOverfilled(hash, size, whole - done);
        if (!SignatureChecker.isValidSignatureNowCalldata(signer, hash, signature)) {
            revert OrderSignatureInvalid(order.account, hash);
        }
        _filled[hash] = done + size;
    }

    function _checkPair(Order calldata maker, Order calldata taker, uint256 size) private pure {
        if (maker.market != taker.market) revert OrderMarketMismatch(maker.market, taker.market);
        if (maker.account == taker.account) revert OrderWithSelf(maker.account);
        if ((maker.size > 0) == (taker.size > 0)) revert OrderSidesEqual(maker.size, taker.size);
        if (size == 0) revert FillZero();
        if (maker.limitPrice == 0 || maker.limitPrice > type(uint96).max) {
            revert OrderPriceOutOfBounds(maker.limitPrice);
        }
        if (taker.size > 0 ? taker.limitPrice < maker.limitPrice : taker.limitPrice > maker.limitPrice) {
            revert PriceNotCrossed(maker.limitPrice, taker.limitPrice);
        }
    }

    /// @dev One quote amount, made for the taker, moves from one account to the other; then both margins are checked.
    function _match(Order calldata maker, Order calldata taker, int256 size, bytes32 makerOrder, bytes32 takerOrder)
        private
    {
        uint256 mark = _priceFeed.markPrice(maker.market);
        int256 change = taker.size > 0 ? size : -size;
        int256 value = change.mulUp(int256(maker.limitPrice));
        int256 longChange = _trade(maker.account, maker.market, mark, -change, -value, maker.reduceOnly)
            + _trade(taker.account, taker.market, mark, change, value, taker.reduceOnly);
        _moveOpenInterest(maker.market, longChange);
        emit Settled(
            maker.market, maker.account, taker.account, change, value, maker.limitPrice, makerOrder, takerOrder
        );
    }

    function _checkLiquidationFractions(uint256 discount, uint256 fee, uint256 maintenanceFraction) private pure {
        if (discount + fee > maintenanceFraction) {
            revert LiquidationFractionsOutOfBounds(discount, fee, maintenanceFraction);
        }
    }

    function _checkMarginFractions(uint64 initialFraction, uint64 maintenanceFraction) private pure {
        if (
            initialFraction < MIN_INITIAL_MARGIN_FRACTION || initialFraction > MAX_INITIAL_MARGIN_FRACTION
                || maintenanceFraction < MIN_MAINTENANCE_MARGIN_FRACTION || maintenanceFraction >= initialFraction
        ) revert MarginFractionsOutOfBounds(initialFraction, maintenanceFraction);
    }
}
