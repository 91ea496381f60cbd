// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC20Metadata} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Metadata.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {Address} from "@openzeppelin/contracts/utils/Address.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";

import {ExchangeStorage} from "./ExchangeStorage.sol";
import {MarginAccounts} from "./MarginAccounts.sol";
import {Owned} from "./governance/Owned.sol";
import {IExchange} from "./interfaces/IExchange.sol";
import {IInsuranceFund} from "./interfaces/IInsuranceFund.sol";
import {IPriceFeed} from "./interfaces/IPriceFeed.sol";
import {FlatTuples} from "./libraries/FlatTuples.sol";
import {MarginMath} from "./libraries/MarginMath.sol";
import {Order, Orders} from "./libraries/Orders.sol";
import {WadMath} from "./libraries/WadMath.sol";
import {AccountId, AccountIds} from "./types/AccountId.sol";
import {Market, MarketParameters, Side} from "./types/Market.sol";
import {CrossAccount, Exposure, Health, Position} from "./types/Position.sol";
import {Execution, Fill, Pair} from "./types/Round.sol";

/// @title The exchange; its story is told in `IExchange`
contract Exchange is MarginAccounts, IExchange, EIP712, Owned, ReentrancyGuardTransient {
    using SafeCast for int256;
    using SafeCast for uint256;
    using SafeERC20 for IERC20Metadata;
    using WadMath for int256;

    /// @inheritdoc IExchange
    uint256 public constant MAX_PAUSE = 3 days;
    /// @inheritdoc IExchange
    uint256 public constant PAUSE_REST = 7 days;

    uint64 private constant DEFAULT_BACKSTOP_RATIO = 0.5e18;
    uint64 private constant DEFAULT_WARNING_RATE = 0.8e18;

    /// @inheritdoc IExchange
    address public immutable settlementModule;
    /// @inheritdoc IExchange
    address public immutable solvencyModule;
    /// @inheritdoc IExchange
    address public immutable marketModule;

    constructor(
        IERC20Metadata collateral,
        IPriceFeed feed,
        address settlementModule_,
        address solvencyModule_,
        address marketModule_,
        address initialOwner
    ) ExchangeStorage(collateral, feed) EIP712("Backstop", "1") Owned(initialOwner) {
        if (settlementModule_ == address(0) || solvencyModule_ == address(0) || marketModule_ == address(0)) {
            revert AddressZero();
        }
        (settlementModule, solvencyModule, marketModule) = (settlementModule_, solvencyModule_, marketModule_);
        (_backstopRatio, _warningRate) = (DEFAULT_BACKSTOP_RATIO, DEFAULT_WARNING_RATE);
        emit BackstopRatioSet(DEFAULT_BACKSTOP_RATIO);
        emit WarningRateSet(DEFAULT_WARNING_RATE);
    }

    // ------------------------------------------------------------------ collateral

    /// @inheritdoc IExchange
    function deposit(uint96 subId, uint256 amount) external nonReentrant returns (AccountId account) {
        account = AccountIds.make(msg.sender, subId);
        _credit(account, amount);
        emit Deposited(account, amount);

        uint256 before = _token.balanceOf(address(this));
        _token.safeTransferFrom(msg.sender, address(this), amount);
        uint256 received = _token.balanceOf(address(this)) - before;
        if (received != amount) revert DepositShort(amount, received);
    }

    /// @inheritdoc IExchange
    function withdraw(AccountId account, uint256 amount, address recipient) external nonReentrant {
        // Tokens sent to the exchange itself would belong to nobody.
        if (recipient == address(0) || recipient == address(this)) revert RecipientInvalid(recipient);
        _debit(account, amount);
        emit Withdrawn(account, recipient, amount);
        _pay(recipient, amount);
    }

    /// @inheritdoc IExchange
    function payOut(address recipient, uint256 amount) external nonReentrant returns (uint256 paid) {
        if (msg.sender != address(_fund)) revert CallerNotFund(msg.sender);
        if (recipient == address(0) || recipient == address(this)) revert RecipientInvalid(recipient);
        emit PaidOut(recipient, amount);
        return _pay(recipient, amount);
    }

    /// @inheritdoc IExchange
    function transfer(AccountId from, AccountId to, uint256 amount) external nonReentrant {
        if (to.owner() != msg.sender) revert NotAccountOwner(to, msg.sender);
        if (from == to) revert TransferToSelf(from);
        _debit(from, amount);
        _credit(to, amount);
        emit Transferred(from, to, amount);
    }

    // ------------------------------------------------------------------ orders

    /// @inheritdoc IExchange
    function settle(Order calldata, bytes calldata, Order calldata, bytes calldata, uint256) external nonReentrant {
        Address.functionDelegateCall(settlementModule, msg.data);
    }

    /// @inheritdoc IExchange
    function settleBatch(Pair[] calldata) external nonReentrant returns (uint256 settled) {
        return abi.decode(Address.functionDelegateCall(settlementModule, msg.data), (uint256));
    }

    /// @inheritdoc IExchange
    function settleOne(Pair calldata) external {
        Address.functionDelegateCall(settlementModule, msg.data);
    }

    /// @inheritdoc IExchange
    function cancel(Order calldata order) external {
        if (order.account.owner() != msg.sender) revert NotAccountOwner(order.account, msg.sender);
        bytes32 hash = orderHash(order);
        _filled[hash] = CANCELLED_FILL;
        emit OrderCancelled(order.account, hash);
    }

    /// @inheritdoc IExchange
    function cancelAll() external {
        uint64 epoch = ++_orderEpoch[msg.sender];
        emit OrdersCancelled(msg.sender, epoch);
    }

    // ------------------------------------------------------------------ solvency, in the module

    /// @inheritdoc IExchange
    function liquidate(AccountId, uint16, AccountId, uint256) external nonReentrant returns (uint256 closed) {
        return abi.decode(Address.functionDelegateCall(solvencyModule, msg.data), (uint256));
    }

    /// @inheritdoc IExchange
    function takeOver(AccountId) external nonReentrant {
        Address.functionDelegateCall(solvencyModule, msg.data);
    }

    /// @inheritdoc IExchange
    function buyInventory(AccountId, uint16, Side, uint256, uint256) external nonReentrant returns (uint256 contracts) {
        return abi.decode(Address.functionDelegateCall(solvencyModule, msg.data), (uint256));
    }

    /// @inheritdoc IExchange
    function settleClosed(uint16, AccountId[] calldata) external nonReentrant returns (uint256 settled) {
        return abi.decode(Address.functionDelegateCall(solvencyModule, msg.data), (uint256));
    }

    /// @inheritdoc IExchange
    function flag(AccountId) external nonReentrant {
        Address.functionDelegateCall(solvencyModule, msg.data);
    }

    /// @inheritdoc IExchange
    function applyDeleverage(Execution calldata, Fill[] calldata) external nonReentrant returns (int256 cashChange) {
        return abi.decode(Address.functionDelegateCall(solvencyModule, msg.data), (int256));
    }

    // ------------------------------------------------------------------ markets and fees, in the module

    /// @inheritdoc IExchange
    function listMarket(bytes32, uint16, MarketParameters calldata) external onlyOwner returns (uint16 id) {
        return abi.decode(Address.functionDelegateCall(marketModule, msg.data), (uint16));
    }

    /// @inheritdoc IExchange
    function setParameters(uint16, MarketParameters calldata) external onlyOwner {
        Address.functionDelegateCall(marketModule, msg.data);
    }

    /// @inheritdoc IExchange
    function moveMarket(uint16, uint16) external onlyOwner {
        Address.functionDelegateCall(marketModule, msg.data);
    }

    /// @inheritdoc IExchange
    function closeMarket(uint16, uint256, uint256) external onlyOwner nonReentrant {
        Address.functionDelegateCall(marketModule, msg.data);
    }

    /// @inheritdoc IExchange
    function applyStress(uint16, uint8, bool) external {
        Address.functionDelegateCall(marketModule, msg.data);
    }

    /// @inheritdoc IExchange
    function setBackstopRatio(uint64) external onlyOwner {
        Address.functionDelegateCall(marketModule, msg.data);
    }

    /// @inheritdoc IExchange
    function setWarningRate(uint64) external onlyOwner {
        Address.functionDelegateCall(marketModule, msg.data);
    }

    /// @inheritdoc IExchange
    function setTreasury(address) external onlyOwner {
        Address.functionDelegateCall(marketModule, msg.data);
    }

    /// @inheritdoc IExchange
    function accrue(uint16) external nonReentrant {
        Address.functionDelegateCall(marketModule, msg.data);
    }

    /// @inheritdoc IExchange
    function sweep(uint16) external nonReentrant {
        Address.functionDelegateCall(marketModule, msg.data);
    }

    /// @inheritdoc IExchange
    function collect(uint256) external nonReentrant {
        Address.functionDelegateCall(marketModule, msg.data);
    }

    /// @inheritdoc IExchange
    function rewardKeeper(address, uint16, uint256, uint256) external nonReentrant returns (uint256 paid) {
        return abi.decode(Address.functionDelegateCall(marketModule, msg.data), (uint256));
    }

    // ------------------------------------------------------------------ owner

    /// @notice Sets the fund and the engine, once.
    function wire(IInsuranceFund fund_, address engine_) external onlyOwner {
        if (_engine != address(0)) revert AlreadyWired();
        if (address(fund_) == address(0) || engine_ == address(0)) revert AddressZero();
        (_fund, _engine) = (fund_, engine_);
        emit Wired(address(fund_), engine_);
    }

    /// @inheritdoc IExchange
    function setGuardian(address guardian_) external onlyOwner {
        _guard.guardian = guardian_;
        emit GuardianSet(guardian_);
    }

    // ------------------------------------------------------------------ guardian

    /// @inheritdoc IExchange
    function pause() external {
        if (msg.sender != _guard.guardian) revert CallerNotGuardian(msg.sender);
        // Of any guardian: pauses are not chained by changing hands.
        uint256 restsUntil = _guard.pausedUntil + PAUSE_REST;
        if (block.timestamp < restsUntil) revert PauseRests(restsUntil);
        uint256 until = block.timestamp + MAX_PAUSE;
        _guard.pausedUntil = uint40(until);
        emit Paused(until);
    }

    /// @inheritdoc IExchange
    function endPause() external {
        if (msg.sender != _guard.guardian && msg.sender != owner()) revert CallerNotGuardian(msg.sender);
        if (block.timestamp >= _guard.pausedUntil) revert NotPaused();
        _guard.pausedUntil = uint40(block.timestamp);
        emit PauseEnded(msg.sender);
    }

    // ------------------------------------------------------------------ views

    /// @inheritdoc IExchange
    function guardian() external view returns (address) {
        return _guard.guardian;
    }

    /// @inheritdoc IExchange
    function pausedUntil() external view returns (uint256) {
        return _guard.pausedUntil;
    }

    /// @inheritdoc IExchange
    function settlesAt(uint16 marketId) external view returns (uint256) {
        return _settlesAt[marketId];
    }

    /// @inheritdoc IExchange
    function exposures(uint16 marketId, AccountId[] calldata accounts, uint256 mark)
        external
        view
        returns (Exposure[] memory)
    {
        int256 index = _index(marketId);
        Leg memory leg;
        (leg.market, leg.mark) = (marketId, mark);
        uint256 fraction = _markets[marketId].maintenanceMarginFraction;
        bytes memory answer = FlatTuples.answer(accounts.length);
        for (uint256 i; i < accounts.length; ++i) {
            _repeek(leg, accounts[i], index);
            Exposure memory state = FlatTuples.exposure(answer, i);
            (state.size, state.entryNotional) = (leg.held.size, leg.held.entryNotional);
            state.equity = _equityOf(leg);
            state.maintenanceMargin =
                leg.others.maintenanceMargin + MarginMath.requirementUp(leg.held.size, mark, fraction);
        }
        FlatTuples.give(answer);
    }

    /// @inheritdoc IExchange
    function health(AccountId account) external view returns (Health memory) {
        uint16 marketId = account.market();
        Leg memory leg = _peek(account, marketId);
        if (leg.held.size != 0) (leg.mark,) = _priceFeed.markOrLast(marketId);
        _addOthers(leg.others, account, 0);
        return _health(leg);
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
    function maintenanceMarginFraction(uint16 id) external view returns (uint64) {
        return _markets[id].maintenanceMarginFraction;
    }

    /// @inheritdoc IExchange
    function maintenanceVersion(uint16 id) external view returns (uint256) {
        return _maintenanceFractions[id][0];
    }

    /// @inheritdoc IExchange
    function maintenanceMarginFractionOf(uint16 id, uint256 version) external view returns (uint64) {
        return _maintenanceFractions[id][version];
    }

    /// @inheritdoc IExchange
    function roundMarkets(uint16 id) external view returns (uint16[] memory ids) {
        ids = new uint16[](1);
        ids[0] = id;
        if (_markets[id].isolatedOnly) return ids;
        ids = _fund.pool(_markets[id].pool).markets;
        uint256 count;
        for (uint256 i; i < ids.length; ++i) {
            if (ids[i] == id || _markets[ids[i]].crossHolders != 0) ids[count++] = ids[i];
        }
        assembly ("memory-safe") {
            mstore(ids, count)
        }
    }

    /// @inheritdoc IExchange
    function positionAsOf(AccountId account, uint16 marketId, uint32 round, uint32 hint)
        external
        view
        returns (Position memory held, uint32 kept)
    {
        mapping(uint32 => Position) storage records = _positionsThen[account][marketId];
        kept = hint;
        held = hint == 0 ? _positions[account][marketId] : records[hint];
        // Each record is of the rounds above its own marker, up to the id that it is kept under.
        for (; hint == 0 && held.roundMarker >= round; held = records[kept]) {
            kept = held.roundMarker;
        }
        _checkHint(account, round, hint, held.roundMarker);
    }

    /// @inheritdoc IExchange
    function crossAccountAsOf(AccountId account, uint32 round, uint32 hint)
        external
        view
        returns (CrossAccount memory cross, uint32 kept)
    {
        mapping(uint32 => CrossAccount) storage records = _crossThen[account];
        kept = hint;
        cross = hint == 0 ? _cross[account] : records[hint];
        for (; hint == 0 && cross.roundMarker >= round; cross = records[kept]) {
            kept = cross.roundMarker;
        }
        _checkHint(account, round, hint, cross.roundMarker);
    }

    /// @inheritdoc IExchange
    function fundingIndex(uint16 id) external view returns (int256) {
        return _index(id);
    }

    /// @inheritdoc IExchange
    function crossAccount(AccountId account) external view returns (CrossAccount memory) {
        return _cross[account];
    }

    /// @inheritdoc IExchange
    function crossAccountCount() external view returns (uint256) {
        return _crossAccounts.length;
    }

    /// @inheritdoc IExchange
    function crossAccountAt(uint256 index) external view returns (AccountId) {
        return _crossAccounts[index];
    }

    /// @inheritdoc IExchange
    function reserves() external view returns (address treasury, uint256 treasuryBalance, uint256 keeperBudget) {
        return (_treasury, _treasuryBalance, _keeperBudget);
    }

    /// @inheritdoc IExchange
    function warningRate() external view returns (uint64) {
        return _warningRate;
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

    function _checkHint(AccountId account, uint32 round, uint32 hint, uint32 marker) private pure {
        if (hint != 0 && (marker >= round || hint < round)) revert HintWrong(account, round, hint);
    }

    /// @dev Puts tokens of the caller into an account.
    function _credit(AccountId account, uint256 amount) private {
        _checkAccount(account);
        if (amount == 0) revert AmountZero();
        int256 scaled = (amount * _tokenScale).toInt256();
        if (account.isCross()) {
            _enlistCross(account);
            uint256 legs = _cross[account].legs;
            if (legs != 0) _preserveCross(account, uint16(legs));
            _cross[account].margin = (_cross[account].margin + scaled).toInt112();
            return;
        }
        uint16 marketId = account.market();
        Position memory held = _positions[account][marketId];
        _preservePosition(account, marketId, held, _markets[marketId].roundMarker);
        _enlist(account, marketId, held);
        held.margin = (held.margin + scaled).toInt112();
        _positions[account][marketId] = held;
    }

    /// @dev Takes tokens out of an account of the caller; unrealized profit stays.
    function _debit(AccountId account, uint256 amount) private {
        if (account.owner() != msg.sender) revert NotAccountOwner(account, msg.sender);
        if (amount == 0) revert AmountZero();
        _checkAccount(account);
        int256 scaled = (amount * _tokenScale).toInt256();
        Health memory sum = _healthOf(account);
        int256 available = sum.collateral + sum.losses - scaled;
        if (available < int256(sum.initialMargin)) {
            revert MarginInsufficient(account, available, sum.initialMargin);
        }
        if (account.isCross()) {
            CrossAccount storage cross = _cross[account];
            if (cross.legs != 0) _preserveCross(account, uint16(cross.legs));
            (cross.margin, cross.riskTime) = ((cross.margin - scaled).toInt112(), uint40(block.timestamp));
            return;
        }
        uint16 marketId = account.market();
        Position memory held = _positions[account][marketId];
        _preservePosition(account, marketId, held, _markets[marketId].roundMarker);
        held.margin = (held.margin - scaled).toInt112();
        if (held.size != 0) held.riskTime = uint40(block.timestamp);
        _positions[account][marketId] = held;
    }
}
