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

    /// @notice Shares were set aside for an exit.
    /// @param owner Owner of the shares.
    /// @param shares Share units: 12 decimals more than the token's.
    /// @param value What they are worth now, token units: the most that the exit pays.
    /// @param ripeAt When it may be paid, seconds.
    event RedeemRequested(address indexed owner, uint256 shares, uint256 value, uint256 ripeAt);
    /// @notice An exit was called off.
    /// @param owner Owner of the shares.
    /// @param shares Share units that its owner has back.
    event RedeemCancelled(address indexed owner, uint256 shares);
    /// @notice An exit was paid, whole or in part.
    /// @param owner Owner of the shares.
    /// @param receiver Who got the tokens.
    /// @param shares Share units that were burned.
    /// @param value What was due, token units.
    /// @param paid What arrived, token units: less while the fund has an open deficit.
    event Redeemed(address indexed owner, address indexed receiver, uint256 shares, uint256 value, uint256 paid);

    /// @notice No shares were given, or the stake is worth less than one share unit.
    error SharesZero();
    /// @notice No tokens were given or asked for.
    error AssetsZero();
    /// @notice The owner has an exit already; one at a time.
    /// @param owner Owner of the shares.
    /// @param shares Share units set aside for it.
    error RequestOpen(address owner, uint256 shares);
    /// @notice The owner has asked for no exit.
    /// @param owner Owner of the shares.
    error RequestMissing(address owner);
    /// @notice More is to be paid than was asked for.
    /// @param owner Owner of the shares.
    /// @param shares Share units to be paid.
    /// @param requested Share units set aside.
    error RequestExceeded(address owner, uint256 shares, uint256 requested);
    /// @notice The exit's cooldown is not over.
    /// @param owner Owner of the shares.
    /// @param ripeAt When it may be paid, seconds.
    error ExitUnripe(address owner, uint256 ripeAt);
    /// @notice Only its owner has this exit paid: the fund has an open deficit, or the exit is worth nothing.
    /// @param owner Owner of the exit.
    /// @param deficit The open deficit, WAD quote.
    error ExitOfOther(address owner, uint256 deficit);
    /// @notice What an exit will pay is known when it is paid.
    error PreviewImpossible();
    /// @notice The pool was wiped out and these shares with it: new ones are issued by `InsuranceFund.renewShares`.
    /// @param pool The pool.
    error SharesWorthless(uint16 pool);
    /// @notice The token moved another amount than it was asked to.
    /// @param expected Token units that were asked for.
    /// @param received Token units that came.
    error DepositShort(uint256 expected, uint256 received);

    /// @notice Sets shares of the caller aside; from `ripeAt` on they can be redeemed. One exit at a time.
    /// @param shares Share units.
    /// @return ripeAt When it may be paid, seconds.
    function requestRedeem(uint256 shares) external returns (uint256 ripeAt);

    /// @notice Gives the shares of the caller's exit back to it.
    function cancelRedeem() external;

    /// @notice Pays a ripe exit to its owner, by anyone, so that nobody keeps one in hand as an option on the pool's fate. Only by its
    /// owner while the fund has an open deficit, while the exit is worth nothing, or while the pool's state would have it wait.
    /// @param owner Owner of the exit.
    /// @return paid Token units.
    function settleRedeem(address owner) external returns (uint256 paid);

    /// @notice The exit that an owner has asked for.
    /// @param owner Owner of the shares.
    /// @return Zeros where there is none.
    function exitOf(address owner) external view returns (Exit memory);

    /// @notice Number of exits that were asked for and neither paid nor called off.
    /// @return How many.
    function exitCount() external view returns (uint256);

    /// @notice Owner of the `index`-th of them, in no order.
    /// @param index From 0.
    /// @return owner Owner of an exit.
    function exitAt(uint256 index) external view returns (address owner);

    /// @notice The pool's id.
    /// @return Pool id.
    function poolId() external view returns (uint16);
}

/// @title Deploys the shares of pools
interface IPoolSharesFactory {
    /// @notice Deploys the shares of the caller's pool.
    /// @param poolId Its id.
    /// @param name Name of the pool, left-aligned.
    /// @return shares The ERC-4626 token.
    function create(uint16 poolId, bytes32 name) external returns (address shares);
}
