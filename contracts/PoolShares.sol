// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC4626} from "@openzeppelin/contracts/interfaces/IERC4626.sol";
import {ERC20, ERC4626} from "@openzeppelin/contracts/token/ERC20/extensions/ERC4626.sol";
import {IERC20, IERC20Metadata} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Metadata.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {EnumerableSet} from "@openzeppelin/contracts/utils/structs/EnumerableSet.sol";

import {IExchange} from "./interfaces/IExchange.sol";
import {IInsuranceFund} from "./interfaces/IInsuranceFund.sol";
import {IPoolShares} from "./interfaces/IPoolShares.sol";

/// @title The shares of one pool; their story is told in `IPoolShares`
contract PoolShares is IPoolShares, ERC4626, ReentrancyGuardTransient {
    using EnumerableSet for EnumerableSet.AddressSet;
    using SafeERC20 for IERC20;

    /// @notice Longest that an exit waits beyond its cooldown, whatever the pool's state.
    uint256 public constant MAX_WAIT = 7 days;

    IInsuranceFund public immutable fund;
    IExchange public immutable exchange;
    /// @inheritdoc IPoolShares
    uint16 public immutable poolId;

    mapping(address owner => Exit) private _exits;
    EnumerableSet.AddressSet private _exiting;

    constructor(IInsuranceFund fund_, uint16 poolId_, bytes32 name_)
        ERC20(string.concat("Backstop pool ", _text(name_)), string.concat("bp-", _text(name_)))
        ERC4626(IERC20(fund_.exchange().token()))
    {
        (fund, exchange, poolId) = (fund_, fund_.exchange(), poolId_);
    }

    // ------------------------------------------------------------------ in

    /// @inheritdoc IERC4626
    function deposit(uint256 assets, address receiver)
        public
        override(ERC4626, IERC4626)
        nonReentrant
        returns (uint256 shares)
    {
        shares = previewDeposit(assets);
        _stake(assets, shares, receiver);
    }

    /// @inheritdoc IERC4626
    function mint(uint256 shares, address receiver)
        public
        override(ERC4626, IERC4626)
        nonReentrant
        returns (uint256 assets)
    {
        assets = previewMint(shares);
        _stake(assets, shares, receiver);
    }

    function _stake(uint256 assets, uint256 shares, address receiver) private {
        if (assets == 0) revert AssetsZero();
        if (shares == 0) revert SharesZero();
        if (totalSupply() != 0 && totalAssets() == 0) revert SharesWorthless(poolId);
        fund.stake(poolId, assets);
        _mint(receiver, shares);
        emit Deposit(msg.sender, receiver, assets, shares);

        IERC20 token = IERC20(asset());
        uint256 before = token.balanceOf(address(exchange));
        token.safeTransferFrom(msg.sender, address(exchange), assets);
        uint256 received = token.balanceOf(address(exchange)) - before;
        if (received != assets) revert DepositShort(assets, received);
    }

    // ------------------------------------------------------------------ out

    /// @inheritdoc IPoolShares
    function requestRedeem(uint256 shares) external nonReentrant returns (uint256 ripeAt) {
        if (shares == 0) revert SharesZero();
        if (_exits[msg.sender].shares != 0) revert RequestOpen(msg.sender, _exits[msg.sender].shares);
        uint256 value = convertToAssets(shares);
        (,, uint32 cooldown) = fund.staking(poolId);
        ripeAt = block.timestamp + cooldown;
        _exits[msg.sender] = Exit(shares, value, ripeAt);
        _exiting.add(msg.sender);
        _transfer(msg.sender, address(this), shares);
        emit RedeemRequested(msg.sender, shares, value, ripeAt);
    }

    /// @inheritdoc IPoolShares
    function cancelRedeem() external nonReentrant {
        uint256 shares = _exits[msg.sender].shares;
        if (shares == 0) revert RequestMissing(msg.sender);
        _drop(msg.sender);
        _transfer(address(this), msg.sender, shares);
        emit RedeemCancelled(msg.sender, shares);
    }

    /// @inheritdoc IERC4626
    function redeem(uint256 shares, address receiver, address owner)
        public
        override(ERC4626, IERC4626)
        nonReentrant
        returns (uint256 paid)
    {
        uint256 value = _valueOf(owner, shares);
        return _pay(shares, value, receiver, owner);
    }

    /// @inheritdoc IERC4626
    function withdraw(uint256 assets, address receiver, address owner)
        public
        override(ERC4626, IERC4626)
        nonReentrant
        returns (uint256 shares)
    {
        if (assets == 0) revert AssetsZero();
        Exit memory exit = _exits[owner];
        uint256 whole = _valueOf(owner, exit.shares);
        if (assets > whole) revert ERC4626ExceededMaxWithdraw(owner, assets, whole);
        shares = Math.mulDiv(exit.shares, assets, whole, Math.Rounding.Ceil);
        _pay(shares, assets, receiver, owner);
    }

    /// @inheritdoc IPoolShares
    function settleRedeem(address owner) external nonReentrant returns (uint256 paid) {
        uint256 shares = _exits[owner].shares;
        uint256 value = _valueOf(owner, shares);
        if (msg.sender != owner) {
            uint256 deficit = fund.deficit();
            if (deficit != 0 || value == 0) revert ExitOfOther(owner, deficit);
        }
        // Somebody else does not choose the moment of an exit that the pool's state would have wait.
        return _release(shares, value, owner, owner, msg.sender == owner);
    }

    /// @dev What a part of an exit is worth: the smaller of then and now, rounded down.
    function _valueOf(address owner, uint256 shares) private view returns (uint256) {
        Exit memory exit = _exits[owner];
        if (exit.shares == 0) revert RequestMissing(owner);
        if (shares == 0) revert SharesZero();
        if (shares > exit.shares) revert RequestExceeded(owner, shares, exit.shares);
        return Math.min(Math.mulDiv(exit.value, shares, exit.shares), convertToAssets(shares));
    }

    function _pay(uint256 shares, uint256 value, address receiver, address owner) private returns (uint256 paid) {
        if (msg.sender != owner) _spendAllowance(owner, msg.sender, shares);
        return _release(shares, value, receiver, owner, true);
    }

    /// @dev Burns a part of an exit and pays it; the value at request of what is left is rounded down.
    function _release(uint256 shares, uint256 value, address receiver, address owner, bool isOwners)
        private
        returns (uint256 paid)
    {
        Exit memory exit = _exits[owner];
        if (block.timestamp < exit.ripeAt) revert ExitUnripe(owner, exit.ripeAt);
        if (shares == exit.shares) {
            _drop(owner);
        } else {
            _exits[owner].value = Math.mulDiv(exit.value, exit.shares - shares, exit.shares);
            _exits[owner].shares = exit.shares - shares;
        }
        _burn(address(this), shares);
        paid = fund.unstake(poolId, value, receiver, isOwners && block.timestamp >= exit.ripeAt + MAX_WAIT);
        emit Redeemed(owner, receiver, shares, value, paid);
        emit Withdraw(msg.sender, receiver, owner, paid, shares);
    }

    function _drop(address owner) private {
        delete _exits[owner];
        _exiting.remove(owner);
    }

    // ------------------------------------------------------------------ views

    /// @inheritdoc IERC4626
    /// @dev What all shares, the virtual ones among them, stand for; nothing once they were replaced.
    function totalAssets() public view override(ERC4626, IERC4626) returns (uint256) {
        return _isCurrent() ? fund.assetsOf(poolId) : 0;
    }

    /// @inheritdoc IERC4626
    /// @dev A newcomer pays for what the pool's inventories have gained too, which `totalAssets` does not count yet.
    function previewDeposit(uint256 assets) public view override(ERC4626, IERC4626) returns (uint256) {
        return Math.mulDiv(assets, totalSupply() + 10 ** _decimalsOffset(), _entryAssets() + 1);
    }

    /// @inheritdoc IERC4626
    function previewMint(uint256 shares) public view override(ERC4626, IERC4626) returns (uint256) {
        return Math.mulDiv(shares, _entryAssets() + 1, totalSupply() + 10 ** _decimalsOffset(), Math.Rounding.Ceil);
    }

    function _entryAssets() private view returns (uint256) {
        return _isCurrent() ? fund.entryAssetsOf(poolId) : 0;
    }

    /// @inheritdoc IERC4626
    function maxDeposit(address) public view override(ERC4626, IERC4626) returns (uint256) {
        if (totalSupply() != 0 && totalAssets() == 0) return 0;
        return fund.maxStake(poolId);
    }

    /// @inheritdoc IERC4626
    function maxMint(address receiver) public view override(ERC4626, IERC4626) returns (uint256) {
        uint256 assets = maxDeposit(receiver);
        return assets > type(uint128).max ? type(uint256).max : previewDeposit(assets);
    }

    /// @inheritdoc IERC4626
    function maxRedeem(address owner) public view override(ERC4626, IERC4626) returns (uint256) {
        Exit memory exit = _exits[owner];
        if (exit.shares == 0 || block.timestamp < exit.ripeAt || !_isCurrent()) return 0;
        if (block.timestamp >= exit.ripeAt + MAX_WAIT) return exit.shares;
        return fund.mayExit(poolId, _valueOf(owner, exit.shares)) ? exit.shares : 0;
    }

    /// @inheritdoc IERC4626
    function maxWithdraw(address owner) public view override(ERC4626, IERC4626) returns (uint256) {
        uint256 shares = maxRedeem(owner);
        return shares == 0 ? 0 : _valueOf(owner, shares);
    }

    /// @inheritdoc IERC4626
    function previewRedeem(uint256) public pure override(ERC4626, IERC4626) returns (uint256) {
        revert PreviewImpossible();
    }

    /// @inheritdoc IERC4626
    function previewWithdraw(uint256) public pure override(ERC4626, IERC4626) returns (uint256) {
        revert PreviewImpossible();
    }

    /// @dev False once the pool was wiped out and new shares were issued for it.
    function _isCurrent() private view returns (bool) {
        (address shares,,) = fund.staking(poolId);
        return shares == address(this);
    }

    /// @inheritdoc IPoolShares
    function exitOf(address owner) external view returns (Exit memory) {
        return _exits[owner];
    }

    /// @inheritdoc IPoolShares
    function exitCount() external view returns (uint256) {
        return _exiting.length();
    }

    /// @inheritdoc IPoolShares
    function exitAt(uint256 index) external view returns (address owner) {
        return _exiting.at(index);
    }

    /// @inheritdoc IERC20Metadata
    function decimals() public view override(ERC4626, IERC20Metadata) returns (uint8) {
        return super.decimals();
    }

    function _decimalsOffset() internal pure override returns (uint8) {
        return 12;
    }

    /// @dev A short name, left-aligned in its word, as text.
    function _text(bytes32 name_) private pure returns (string memory) {
        uint256 length;
        while (length < 32 && name_[length] != 0) ++length;
        bytes memory text = new bytes(length);
        for (uint256 i; i < length; ++i) {
            text[i] = name_[i];
        }
        return string(text);
    }
}
