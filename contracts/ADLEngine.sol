// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Address} from "@openzeppelin/contracts/utils/Address.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

import {IADLEngine} from "./interfaces/IADLEngine.sol";
import {IExchange} from "./interfaces/IExchange.sol";
import {IInsuranceFund} from "./interfaces/IInsuranceFund.sol";
import {IPriceFeed} from "./interfaces/IPriceFeed.sol";
import {IRoundBook} from "./interfaces/IRoundBook.sol";
import {ADLMath} from "./libraries/ADLMath.sol";
import {FlatTuples} from "./libraries/FlatTuples.sol";
import {LeveragedReturn} from "./libraries/LeveragedReturn.sol";
import {MarginMath} from "./libraries/MarginMath.sol";
import {Ranking} from "./libraries/Ranking.sol";
import {WadMath} from "./libraries/WadMath.sol";
import {AccountId} from "./types/AccountId.sol";
import {Side} from "./types/Market.sol";
import {ADLTerms, Trigger} from "./types/Pool.sol";
import {Exposure} from "./types/Position.sol";
import {
    Bounds,
    Candidate,
    Execution,
    Fill,
    MarkBounds,
    Outcome,
    RewardParameters,
    RoundRecord,
    SkipReason
} from "./types/Round.sol";

/// @title The ADL engine; its story is told in `IADLEngine`
contract ADLEngine is IADLEngine, ReentrancyGuardTransient {
    using WadMath for int256;

    IExchange public immutable exchange;
    IInsuranceFund public immutable fund;
    IPriceFeed public immutable priceFeed;
    /// @inheritdoc IADLEngine
    IRoundBook public immutable book;

    /// @inheritdoc IADLEngine
    uint256 public roundCount;

    /// @dev A round while it is executed; what is left of the inventory shrinks with each fill.
    struct Progress {
        uint256 round;
        ADLTerms terms;
        int256 size;
        int256 entryNotional;
        int256 value;
        bytes fills;
        uint256 count;
        uint256 reached;
        bool passesOver;
        int256 cutoffReturn;
        bool secondPass;
    }

    constructor(IExchange exchange_, IInsuranceFund fund_, IPriceFeed feed, IRoundBook book_) {
        (exchange, fund, priceFeed, book) = (exchange_, fund_, feed, book_);
    }

    /// @inheritdoc IADLEngine
    function deleverage(uint16 market, Side side, AccountId[] calldata candidates, Bounds calldata bounds)
        external
        nonReentrant
        returns (uint256 round)
    {
        if (block.timestamp > bounds.deadline) revert DeadlinePassed(bounds.deadline);
        Progress memory p;
        p.terms = fund.adlTerms(market, side);
        if (p.terms.trigger == Trigger.None) revert ADLNotDue(market, side);
        // The price that the terms go by; from now on nobody can have an older one accepted.
        priceFeed.accept(market);
        if (p.terms.price < bounds.minPrice || p.terms.price > bounds.maxPrice) {
            revert PriceOutsideBounds(p.terms.price, bounds.minPrice, bounds.maxPrice);
        }
        _checkMarks(market, p.terms.mark, bounds.marks);
        uint256 counterInterest = exchange.accountsOpenInterest(market, _opposite(side));
        if (candidates.length == 0 && counterInterest != 0) revert CandidatesMissing(market);

        round = ++roundCount;
        p.round = round;
        (p.size, p.entryNotional) = (p.terms.size, p.terms.entryNotional);
        p.fills = FlatTuples.fills(candidates.length);
        (Candidate[] memory ranked, uint256 count) = _score(market, side, candidates, p.terms.mark, round);
        _fillSolvent(p, ranked, count, bounds.lowestReturn);
        // Where somebody may be left off the list, none that is insolvent may be closed.
        if (p.passesOver && bounds.lowestReturn == type(int256).min) _fillInsolvent(p, ranked);
        _apply(p, market, side, counterInterest, candidates.length);
    }

    /// @inheritdoc IADLEngine
    function ranking(uint16 market, Side side, AccountId[] calldata candidates)
        external
        view
        returns (Candidate[] memory ranked)
    {
        uint256 mark = priceFeed.markPrice(market);
        bytes memory states = _exposures(market, candidates, mark);
        ranked = new Candidate[](candidates.length);
        uint256 count;
        for (uint256 i; i < candidates.length; ++i) {
            Exposure memory state = FlatTuples.exposure(states, i);
            (bool eligible,) = _eligibility(state, side);
            if (eligible) ranked[count++] = _candidate(candidates[i], state, mark);
        }
        Ranking.sort(ranked, count);
        uint256 unique;
        for (uint256 i; i < count; ++i) {
            if (unique == 0 || ranked[i].account != ranked[unique - 1].account) ranked[unique++] = ranked[i];
        }
        _truncate(ranked, unique);
    }

    /// @dev Those left off the list were ranked at marks that must not have moved too far.
    function _checkMarks(uint16 market, uint256 mark, MarkBounds[] calldata bounds) private view {
        for (uint256 i; i < bounds.length; ++i) {
            MarkBounds calldata each = bounds[i];
            uint256 found = mark;
            if (each.market != market) (found,) = priceFeed.markOrLast(each.market);
            if (found < each.lowest || found > each.highest) {
                revert MarkOutsideBounds(each.market, found, each.lowest, each.highest);
            }
        }
    }

    // ------------------------------------------------------------------ scoring

    /// @dev What the exchange answers; see `FlatTuples`.
    function _exposures(uint16 market, AccountId[] calldata accounts, uint256 mark)
        private
        view
        returns (bytes memory states)
    {
        return Address.functionStaticCall(
            address(exchange), abi.encodeCall(IExchange.exposures, (market, accounts, mark))
        );
    }

    /// @dev Live state of every candidate, the ineligible skipped, the rest in order. `count` of `ranked` are meant.
    function _score(uint16 market, Side side, AccountId[] calldata candidates, uint256 mark, uint256 round)
        private
        returns (Candidate[] memory ranked, uint256 count)
    {
        bytes memory states = _exposures(market, candidates, mark);
        ranked = new Candidate[](candidates.length);
        for (uint256 i; i < candidates.length; ++i) {
            Exposure memory state = FlatTuples.exposure(states, i);
            (bool eligible, SkipReason reason) = _eligibility(state, side);
            if (eligible) ranked[count++] = _candidate(candidates[i], state, mark);
            else emit CandidateSkipped(round, candidates[i], reason);
        }
        Ranking.sort(ranked, count);
    }

    function _eligibility(Exposure memory state, Side side) private pure returns (bool eligible, SkipReason reason) {
        if (state.size == 0) return (false, SkipReason.Flat);
        if ((state.size > 0) == (side == Side.Long)) return (false, SkipReason.InventorySide);
        if (state.equity <= 0) return (false, SkipReason.Bankrupt);
        return (true, SkipReason.Flat);
    }

    function _candidate(AccountId account, Exposure memory state, uint256 mark)
        private
        pure
        returns (Candidate memory)
    {
        int256 uPnL = MarginMath.valueDown(state.size, mark) - state.entryNotional;
        return Candidate({
            account: account,
            size: state.size,
            entryNotional: state.entryNotional,
            equity: state.equity,
            leveragedReturn: LeveragedReturn.score(uPnL, state.entryNotional, state.equity, state.maintenanceMargin)
        });
    }

    // ------------------------------------------------------------------ closing

    /// @dev First pass: in rank order, at `p_adl`, whoever would stay solvent with the whole position closed there.
    function _fillSolvent(Progress memory p, Candidate[] memory ranked, uint256 count, int256 lowestReturn) private {
        for (uint256 i; i < count && p.size != 0; ++i) {
            Candidate memory c = ranked[i];
            if (c.leveragedReturn < lowestReturn) break;
            p.reached = i + 1;
            if (i != 0 && ranked[i - 1].account == c.account) {
                emit CandidateSkipped(p.round, c.account, SkipReason.Duplicate);
                continue;
            }
            if (ADLMath.isInsolventAt(p.terms.price, c.size, c.equity, p.terms.mark)) p.passesOver = true;
            else _fill(p, c, p.terms.price, true);
        }
    }

    /// @dev Second pass: against those passed over, each at the price that takes its whole equity.
    function _fillInsolvent(Progress memory p, Candidate[] memory ranked) private {
        for (uint256 i; i < p.reached; ++i) {
            Candidate memory c = ranked[i];
            if (i != 0 && ranked[i - 1].account == c.account) continue;
            if (!ADLMath.isInsolventAt(p.terms.price, c.size, c.equity, p.terms.mark)) continue;
            if (p.size == 0) {
                emit CandidateSkipped(p.round, c.account, SkipReason.InsolventAtAdlPrice);
            } else {
                _fill(p, c, ADLMath.solvencyPrice(c.size, c.equity, p.terms.mark), false);
            }
        }
    }

    /// @dev Closes up to what is left of the inventory against one counterparty: in the first pass rounded toward the pool,
    /// in the second toward the account.
    function _fill(Progress memory p, Candidate memory c, int256 price, bool firstPass) private {
        (int256 part, int256 entry) = _part(p, c.size.abs());
        int256 value = firstPass ? part.mulUp(p.terms.executionPrice) : part.mulDown(price);
        int256 capacity = ADLMath.capacity(c.size, c.equity, part, p.terms.mark);
        value = value.min(entry).min(capacity);

        p.size -= part;
        p.entryNotional -= entry;
        p.value += value;
        FlatTuples.add(p.fills, c.account, part, value);
        ++p.count;
        if (firstPass) p.cutoffReturn = c.leveragedReturn;
        else p.secondPass = true;
        emit Deleveraged(p.round, c.account, part, value, price, c.leveragedReturn, p.count);
    }

    /// @dev The part of the inventory that a position of `held` contracts closes, and the entry notional that goes with it.
    function _part(Progress memory p, uint256 held) private pure returns (int256 part, int256 entry) {
        uint256 remaining = p.size.abs();
        uint256 contracts = held < remaining ? held : remaining;
        part = p.size > 0 ? int256(contracts) : -int256(contracts);
        entry = ADLMath.entryPart(p.entryNotional, contracts, remaining);
    }

    /// @dev Writes the round to the exchange and the fund, and checks what must hold after it.
    function _apply(Progress memory p, uint16 market, Side side, uint256 counterInterest, uint256 candidates) private {
        uint256 closed = (p.terms.size - p.size).abs();
        uint256 netted = counterInterest == closed ? _nettable(market, side, p.size.abs()) : 0;
        if (closed == 0 && netted == 0) revert NothingDeleveraged(candidates);

        _write(p, market, side, closed, netted);
        int256 received = _checkCompensation(p, closed);

        Outcome memory outcome = Outcome({
            side: side,
            trigger: p.terms.trigger,
            mark: p.terms.mark,
            price: p.terms.price,
            contracts: closed,
            netted: netted,
            value: p.value,
            compensation: p.terms.compensation
        });
        emit RoundExecuted(p.round, market, msg.sender, outcome);
        _payReward(market, closed, received, p.terms.mark);
    }

    /// @dev Flat and by notional, but no more than a share of what the round was worth; where the budget is empty, nothing.
    function _payReward(uint16 market, uint256 closed, int256 received, uint256 mark) private {
        RewardParameters memory reward = book.rewardParameters();
        uint256 worth = received > 0 ? Math.mulDiv(uint256(received), reward.share, WadMath.UWAD) : 0;
        if (worth == 0) return;
        uint256 notional = Math.mulDiv(closed, mark, WadMath.UWAD);
        uint256 wanted = reward.flat + Math.mulDiv(notional, reward.rate, WadMath.UWAD);
        exchange.rewardKeeper(msg.sender, market, notional, wanted < worth ? wanted : worth);
    }

    function _write(Progress memory p, uint16 market, Side side, uint256 closed, uint256 netted) private {
        Execution memory execution;
        (execution.market, execution.id) = (market, uint32(p.round));
        (execution.mark, execution.netted) = (p.terms.mark, netted);
        // A round that closes no account leaves nobody out.
        if (p.count != 0) _open(p, market, side, closed, execution);
        int256 poolChange;
        (poolChange, execution.funding) =
            fund.close(market, side, closed, p.terms.entryNotional - p.entryNotional, p.value, netted);
        bytes memory data = abi.encodeCall(IExchange.applyDeleverage, (execution, new Fill[](0)));
        FlatTuples.append(data, p.fills);
        int256 accountsChange = abi.decode(Address.functionCall(address(exchange), data), (int256));
        if (poolChange + accountsChange != 0) revert CashNotConserved(poolChange, accountsChange);
    }

    /// @dev Enters the round into the book.
    function _open(Progress memory p, uint16 market, Side side, uint256 closed, Execution memory execution) private {
        RoundRecord memory r;
        (r.keeper, r.market, r.side, r.secondPass) = (msg.sender, market, side, p.secondPass);
        r.cutoffAccount = FlatTuples.lastAccount(p.fills);
        r.cutoffReturn = int104(p.cutoffReturn.max(type(int104).min).min(type(int104).max));
        r.contracts = uint112(closed);
        r.price = int160(p.terms.price.max(type(int160).min).min(type(int160).max));
        execution.markets = exchange.roundMarkets(market);
        uint256 openUntil;
        (openUntil, execution.keepsClosed) =
            book.open(execution.id, r, execution.markets, execution.mark, p.terms.compensation);
        execution.openUntil = uint40(openUntil);
    }

    /// @dev Beyond mark the pool got at most its compensation, pro rata to what was closed; for rounding one unit a fill, one a
    /// contract, and two for the parts of a contract and the value at mark.
    /// @return received What it got beyond mark, WAD quote.
    function _checkCompensation(Progress memory p, uint256 closed) private pure returns (int256 received) {
        received = p.value - (p.terms.size - p.size).mulDown(int256(p.terms.mark));
        int256 slack = int256(p.count + closed / WadMath.UWAD + 2);
        // At the largest marks and sizes the product of compensation and contracts has more than 256 bits.
        uint256 most = Math.mulDiv(p.terms.compensation, closed, p.terms.size.abs());
        if (received - slack > int256(most)) revert Overcompensated(received, p.terms.compensation);
    }

    /// @dev Contracts that can be netted against the pool's own opposite inventory.
    function _nettable(uint16 market, Side side, uint256 remaining) private view returns (uint256) {
        uint256 opposite = fund.inventory(market, _opposite(side)).abs();
        return remaining < opposite ? remaining : opposite;
    }

    function _opposite(Side side) private pure returns (Side) {
        return side == Side.Long ? Side.Short : Side.Long;
    }

    function _truncate(Candidate[] memory candidates, uint256 count) private pure {
        assembly ("memory-safe") {
            mstore(candidates, count)
        }
    }
}
