// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IInsuranceFund} from "../interfaces/IInsuranceFund.sol";
import {IPoolShares} from "../interfaces/IPoolShares.sol";
import {Side} from "../types/Market.sol";
import {ADLTerms, Backing, Pool, Trigger} from "../types/Pool.sol";

/// @title The insurance fund for those who stake in it, watch it or are deleveraged by it
/// @notice Views only, no state. Amounts in WAD unless said otherwise.
contract FundLens {
    /// @notice A pool and its account.
    /// @param entry As stored.
    /// @param balance What it owns, less the losses of its inventories and the funding that they owe.
    /// @param items What moved its cash, by `Item`; they sum to `entry.cash`.
    /// @param deficit Its open deficit.
    /// @param assets What all of its shares stand for, token units.
    /// @param totalShares Shares that exist.
    /// @param maxStake Most that it takes as a stake now, token units.
    /// @param stakeRefusal Why it takes none; empty where it does.
    /// @param markets Its markets' backing, in the order of `entry.markets`.
    struct PoolState {
        uint16 id;
        Pool entry;
        int256 balance;
        int256[] items;
        uint256 deficit;
        uint256 assets;
        uint256 totalShares;
        uint256 maxStake;
        bytes stakeRefusal;
        Backing[] markets;
    }

    /// @notice Whether and why ADL is on in a market, at which price, and what is still to be closed.
    /// @param isOn Whether a round is due for either inventory now.
    /// @param reason Why; of the side with the larger compensation where both are due.
    /// @param seen Why it was on when the market was last sampled.
    /// @param stress Steps of the feedback reached then, of four up to the trigger.
    /// @param lastDue When its drawdown was last seen due, seconds; 0 for never, or ended.
    /// @param backing The state of its backing.
    /// @param long Terms of the long inventory: `size` is what is to be closed at `price` where `trigger` is not `None`.
    /// @param short The same of the short inventory.
    struct ADLState {
        bool isOn;
        Trigger reason;
        Trigger seen;
        uint8 stress;
        uint256 lastDue;
        Backing backing;
        ADLTerms long;
        ADLTerms short;
    }

    /// @notice What an owner has in a pool.
    /// @param shares Shares at hand.
    /// @param value What they are worth now, token units.
    /// @param exit The exit that was asked for.
    /// @param exitValue What it would pay now, token units, before any deficit is shared.
    /// @param mayRedeem Whether it may be redeemed now.
    /// @param refusal Why it must wait although it is ripe; empty where it need not.
    struct StakeState {
        uint256 shares;
        uint256 value;
        IPoolShares.Exit exit;
        uint256 exitValue;
        bool mayRedeem;
        bytes refusal;
    }

    IInsuranceFund public immutable fund;

    constructor(IInsuranceFund fund_) {
        fund = fund_;
    }

    /// @notice All pools, by id.
    function pools() external view returns (PoolState[] memory states) {
        states = new PoolState[](fund.poolCount());
        (uint16[] memory ids, uint256[] memory parts) = fund.deficits();
        for (uint16 i; i < states.length; ++i) {
            states[i] = _pool(i + 1);
        }
        for (uint256 i; i < ids.length; ++i) {
            states[ids[i] - 1].deficit = parts[i];
        }
    }

    function _pool(uint16 id) private view returns (PoolState memory state) {
        state.id = id;
        state.entry = fund.pool(id);
        state.balance = fund.balanceOf(id);
        state.items = fund.items(id);
        state.assets = fund.assetsOf(id);
        state.totalShares = IPoolShares(state.entry.shares).totalSupply();
        state.maxStake = fund.maxStake(id);
        state.stakeRefusal = _refusal(abi.encodeCall(IInsuranceFund.checkStake, (id)));
        (, state.markets) = fund.backings(id);
    }

    /// @notice Whether and why ADL is on in a market. Reverts where its price is needed and its feed is dead.
    function adlState(uint16 market) external view returns (ADLState memory state) {
        state.backing = fund.backing(market);
        (state.seen, state.stress, state.lastDue) = fund.seen(market);
        state.long = fund.adlTerms(market, Side.Long);
        state.short = fund.adlTerms(market, Side.Short);
        state.isOn = state.long.trigger != Trigger.None || state.short.trigger != Trigger.None;
        state.reason = state.long.compensation >= state.short.compensation ? state.long.trigger : state.short.trigger;
    }

    /// @notice What an owner has in a pool.
    function stakeOf(uint16 pool, address owner) external view returns (StakeState memory state) {
        (address token,,) = fund.staking(pool);
        IPoolShares shares = IPoolShares(token);
        state.shares = shares.balanceOf(owner);
        state.value = shares.convertToAssets(state.shares);
        state.exit = shares.exitOf(owner);
        if (state.exit.shares == 0) return state;
        uint256 worth = shares.convertToAssets(state.exit.shares);
        state.exitValue = worth < state.exit.value ? worth : state.exit.value;
        state.mayRedeem = shares.maxRedeem(owner) != 0;
        state.refusal = _refusal(abi.encodeCall(IInsuranceFund.checkExit, (pool, state.exitValue)));
    }

    /// @dev Why the fund refuses something; empty where it does not.
    function _refusal(bytes memory data) private view returns (bytes memory) {
        // solhint-disable-next-line avoid-low-level-calls
        (bool accepted, bytes memory reason) = address(fund).staticcall(data);
        return accepted ? bytes("") : reason;
    }

    /// @notice A page of the owners with an open exit of a pool, and the exits.
    /// @param offset Index of the first.
    /// @param limit Most to return.
    function exits(uint16 pool, uint256 offset, uint256 limit)
        external
        view
        returns (address[] memory owners, IPoolShares.Exit[] memory requests)
    {
        (address token,,) = fund.staking(pool);
        IPoolShares shares = IPoolShares(token);
        uint256 count = shares.exitCount();
        uint256 end = limit < count - (offset < count ? offset : count) ? offset + limit : count;
        owners = new address[](end > offset ? end - offset : 0);
        requests = new IPoolShares.Exit[](owners.length);
        for (uint256 i; i < owners.length; ++i) {
            owners[i] = shares.exitAt(offset + i);
            requests[i] = shares.exitOf(owners[i]);
        }
    }
}
