// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC20Metadata} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Metadata.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";

import {IKeeperBonds} from "./interfaces/IKeeperBonds.sol";
import {Bond} from "./types/Round.sol";

/// @title Bonds of keepers; the story is told in `IKeeperBonds`
/// @notice Kept apart from the exchange's tokens, so that no deficit of a pool is shared by who answers for its rounds.
abstract contract KeeperBonds is IKeeperBonds, ReentrancyGuardTransient {
    using SafeERC20 for IERC20Metadata;

    /// @notice Most that a keeper can post, WAD quote.
    uint256 public constant MAX_BOND = 1e28;
    /// @dev How many closed rounds a call frees by itself; more than one, so that no backlog grows.
    uint256 private constant FREED_BY_THE_WAY = 4;
    /// @dev How long beyond the window a part of a bond waits.
    uint256 private constant EXTRA_DELAY = 1 hours;

    IERC20Metadata internal immutable _token;
    uint256 internal immutable _tokenScale;

    mapping(address keeper => Bond) private _bonds;
    mapping(address keeper => uint32[]) private _roundsOf;
    mapping(address owner => uint256) internal _claimable;

    constructor(IERC20Metadata token, uint256 scale) {
        (_token, _tokenScale) = (token, scale);
    }

    /// @inheritdoc IKeeperBonds
    function postBond(uint256 amount) external nonReentrant {
        Bond storage held = _bonds[msg.sender];
        uint256 posted = held.amount + amount * _tokenScale;
        if (posted > MAX_BOND) revert BondTooLarge(posted, MAX_BOND);
        held.amount = uint96(posted);
        emit BondPosted(msg.sender, amount * _tokenScale);

        uint256 before = _token.balanceOf(address(this));
        _token.safeTransferFrom(msg.sender, address(this), amount);
        uint256 received = _token.balanceOf(address(this)) - before;
        if (received != amount) revert TransferShort(amount, received);
    }

    /// @inheritdoc IKeeperBonds
    function requestBond(uint256 amount) external nonReentrant {
        Bond storage held = _bonds[msg.sender];
        uint256 scaled = amount * _tokenScale;
        if (scaled > held.amount) revert BondExceeded(msg.sender, scaled, held.amount);
        uint256 ripeAt = amount == 0 ? 0 : block.timestamp + _window() + EXTRA_DELAY;
        (held.leaving, held.ripeAt) = (uint96(scaled), uint40(ripeAt));
        emit BondRequested(msg.sender, scaled, ripeAt);
    }

    /// @inheritdoc IKeeperBonds
    function withdrawBond(address recipient) external nonReentrant returns (uint256 paid) {
        Bond storage held = _bonds[msg.sender];
        if (held.leaving == 0) revert NothingToWithdraw(msg.sender);
        if (block.timestamp < held.ripeAt) revert BondUnripe(msg.sender, held.ripeAt);
        _release(msg.sender, FREED_BY_THE_WAY);
        uint256 free = held.amount - held.reserved;
        paid = (free < held.leaving ? free : held.leaving) / _tokenScale;
        if (paid == 0) revert NothingToWithdraw(msg.sender);
        uint96 scaled = uint96(paid * _tokenScale);
        held.amount -= scaled;
        held.leaving -= scaled;
        emit BondWithdrawn(msg.sender, recipient, scaled);
        _token.safeTransfer(recipient, paid);
    }

    /// @inheritdoc IKeeperBonds
    function releaseBond(address keeper, uint256[] calldata places) external nonReentrant {
        Bond storage held = _bonds[keeper];
        uint32[] storage rounds = _roundsOf[keeper];
        for (uint256 i; i < places.length; ++i) {
            uint256 place = places[i];
            if (place < held.released || place >= rounds.length || !_isClosed(rounds[place])) continue;
            held.reserved -= _takeBond(rounds[place]);
        }
    }

    /// @inheritdoc IKeeperBonds
    function claim(address recipient) external nonReentrant returns (uint256 paid) {
        paid = _claimable[msg.sender] / _tokenScale;
        if (paid == 0) revert NothingToClaim(msg.sender);
        _claimable[msg.sender] -= paid * _tokenScale;
        emit Claimed(msg.sender, recipient, paid * _tokenScale);
        _token.safeTransfer(recipient, paid);
    }

    /// @inheritdoc IKeeperBonds
    function bond(address keeper) external view returns (Bond memory) {
        return _bonds[keeper];
    }

    /// @inheritdoc IKeeperBonds
    function availableBond(address keeper) external view returns (uint256) {
        Bond memory held = _bonds[keeper];
        uint32[] storage rounds = _roundsOf[keeper];
        for (uint256 i = held.released; i < rounds.length && _isClosed(rounds[i]); ++i) {
            held.reserved -= _bondOf(rounds[i]);
        }
        return _available(held);
    }

    /// @inheritdoc IKeeperBonds
    function claimable(address owner) external view returns (uint256) {
        return _claimable[owner];
    }

    /// @inheritdoc IKeeperBonds
    function roundsOf(address keeper, uint256 from, uint256 count) external view returns (uint32[] memory page) {
        uint32[] storage rounds = _roundsOf[keeper];
        uint256 end = from + count < rounds.length ? from + count : rounds.length;
        page = new uint32[](from < end ? end - from : 0);
        for (uint256 i; i < page.length; ++i) {
            page[i] = rounds[from + i];
        }
    }

    // ------------------------------------------------------------------ for rounds

    /// @dev Sets a part of a bond aside for a round.
    function _reserve(address keeper, uint32 round, uint256 required) internal {
        uint256 freed = _release(keeper, FREED_BY_THE_WAY);
        Bond storage held = _bonds[keeper];
        uint256 available = _available(held);
        // As many as it takes: what has closed must not keep a round waiting.
        for (; available < required && freed != 0; available = _available(held)) {
            freed = _release(keeper, FREED_BY_THE_WAY);
        }
        if (available < required) revert BondInsufficient(keeper, available, required);
        held.reserved += uint96(required);
        _roundsOf[keeper].push(round);
    }

    /// @dev Takes a part of what a round has set aside.
    function _slash(address keeper, uint256 penalty) internal {
        Bond storage held = _bonds[keeper];
        held.amount -= uint96(penalty);
        held.reserved -= uint96(penalty);
    }

    /// @return freed How many rounds cover no more.
    function _release(address keeper, uint256 most) private returns (uint256 freed) {
        Bond storage held = _bonds[keeper];
        uint32[] storage rounds = _roundsOf[keeper];
        (uint256 reserved, uint256 released) = (held.reserved, held.released);
        for (; most != 0 && released < rounds.length && _isClosed(rounds[released]); --most) {
            reserved -= _bondOf(rounds[released++]);
        }
        freed = released - held.released;
        (held.reserved, held.released) = (uint96(reserved), uint32(released));
    }

    function _available(Bond memory held) private pure returns (uint256) {
        uint256 bound = uint256(held.reserved) + held.leaving;
        return held.amount > bound ? held.amount - bound : 0;
    }

    function _isClosed(uint32 round) internal view virtual returns (bool);

    function _bondOf(uint32 round) internal view virtual returns (uint96);

    /// @dev What is left of a round's bond, which from now on is nothing.
    function _takeBond(uint32 round) internal virtual returns (uint96);

    function _window() internal view virtual returns (uint256);
}
