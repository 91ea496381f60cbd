// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC4626} from "@openzeppelin/contracts/interfaces/IERC4626.sol";

/// @title The shares of a pool: what its stakers hold
/// @notice ERC-4626 (the asset is the collateral token, amounts of assets are token units) with three differences. An exit is asked for
/// first (`requestRedeem`) and paid after the pool's cooldown, at the smaller of its value then and now; so `maxRedeem`,
/// `maxWithdraw`, `redeem` and `withdraw` speak of what was asked for and has ripened, and `previewRedeem` and `previewWithdraw` revert,
/// as in ERC-7540. The pool's assets are a balance in the insurance fund, not tokens of this contract; while the fund has an
/// open deficit an exit, like every withdrawal, is paid in part. Virtual shares (12 decimals) stand for what the pool has of nobody.
interface IPoolShares is IERC4626 {
    /// @notice An exit that was asked for.
    /// @param shares Shares held back for it.
    /// @param value What they were worth then, token units.
    /// @param ripeAt When it may be paid, seconds.
    struct Exit {
        uint256 shares;
        uint256 value;
        uint256 ripeAt;
    }

    /// @notice Shares were set aside for an exit. `value` in token units.
    event RedeemRequested(address indexed owner, uint256 shares, uint256 value, uint256 ripeAt);
    /// @notice An exit was called off.
    event RedeemCancelled(address indexed owner, uint256 shares);
    /// @notice An exit was paid: `value` was due and `paid` arrived, both token units.
    event Redeemed(address indexed owner, address indexed receiver, uint256 shares, uint256 value, uint256 paid);

    error SharesZero();
    error AssetsZero();
    error RequestOpen(address owner, uint256 shares);
    error RequestMissing(address owner);
    error RequestExceeded(address owner, uint256 shares, uint256 requested);
    error ExitUnripe(address owner, uint256 ripeAt);
    error ExitOfOther(address owner, uint256 deficit);
    /// @notice What an exit will pay is known when it is paid.
    error PreviewImpossible();
    /// @notice The pool was wiped out and these shares with it: new ones are issued by `InsuranceFund.renewShares`.
    error SharesWorthless(uint16 pool);
    error DepositShort(uint256 expected, uint256 received);

    /// @notice Sets shares of the caller aside; from `ripeAt` on they can be redeemed. One exit at a time.
    function requestRedeem(uint256 shares) external returns (uint256 ripeAt);

    /// @notice Gives the shares of the caller's exit back to it.
    function cancelRedeem() external;

    /// @notice Pays a ripe exit to its owner, by anyone, so that nobody keeps one in hand as an option on the pool's fate. Only by its
    /// owner while the fund has an open deficit, while the exit is worth nothing, or while the pool's state would have it wait.
    /// @return paid Token units.
    function settleRedeem(address owner) external returns (uint256 paid);

    /// @notice The exit that an owner has asked for.
    function exitOf(address owner) external view returns (Exit memory);

    /// @notice Number of exits that were asked for and neither paid nor called off.
    function exitCount() external view returns (uint256);

    /// @notice Owner of the `index`-th of them, in no order.
    function exitAt(uint256 index) external view returns (address owner);

    /// @notice The pool's id.
    function poolId() external view returns (uint16);
}

/// @title Deploys the shares of pools
interface IPoolSharesFactory {
    /// @notice Deploys the shares of the caller's pool.
    /// @param name Name of the pool, left-aligned.
    function create(uint16 poolId, bytes32 name) external returns (address shares);
}
