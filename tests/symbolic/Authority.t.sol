// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Exchange} from "../../contracts/Exchange.sol";
import {InsuranceFund} from "../../contracts/InsuranceFund.sol";
import {RoundBook} from "../../contracts/RoundBook.sol";
import {ChainlinkPriceFeed} from "../../contracts/oracles/ChainlinkPriceFeed.sol";
import {AccountId} from "../../contracts/types/AccountId.sol";
import {Venue} from "./Venue.sol";

/// @title Who may call what: every other caller is refused, whatever the arguments, and whatever is stored beside the deployment's own
/// @notice `which` chooses the function, so that each is followed by itself.
contract AuthorityTest is Venue {
    uint256 private constant WORDS = 20; // of arguments: more than any of these functions has

    /// @notice The exchange does what is its owner's for nobody else.
    function check_ownerOfTheExchange(uint256 which, address caller) external {
        SYMBOLIC.enableSymbolicStorage(address(_exchange));
        CHEATS.assume(caller != _exchange.owner());
        bytes4[11] memory selectors = [
            Exchange.listMarket.selector,
            Exchange.setParameters.selector,
            Exchange.moveMarket.selector,
            Exchange.closeMarket.selector,
            Exchange.setBackstopRatio.selector,
            Exchange.setWarningRate.selector,
            Exchange.setTreasury.selector,
            Exchange.setGuardian.selector,
            Exchange.wire.selector,
            _exchange.transferOwnership.selector,
            _exchange.renounceOwnership.selector
        ];
        for (uint256 i; i < selectors.length; ++i) {
            if (which == i) _isRefused(address(_exchange), selectors[i], caller);
        }
    }

    /// @notice The fund does what is its owner's for nobody else.
    function check_ownerOfTheFund(uint256 which, address caller) external {
        SYMBOLIC.enableSymbolicStorage(address(_fund));
        CHEATS.assume(caller != _fund.owner());
        bytes4[8] memory selectors = [
            InsuranceFund.wire.selector,
            InsuranceFund.createPool.selector,
            InsuranceFund.renewShares.selector,
            InsuranceFund.setStaking.selector,
            InsuranceFund.setDrawdownBounds.selector,
            InsuranceFund.setAuctionParameters.selector,
            _fund.transferOwnership.selector,
            _fund.renounceOwnership.selector
        ];
        for (uint256 i; i < selectors.length; ++i) {
            if (which == i) _isRefused(address(_fund), selectors[i], caller);
        }
    }

    /// @notice The round book and the price feed do what is their owner's for nobody else.
    function check_ownerOfBookAndFeed(uint256 which, address caller) external {
        SYMBOLIC.enableSymbolicStorage(address(_book));
        SYMBOLIC.enableSymbolicStorage(address(_feed));
        if (which < 4) {
            CHEATS.assume(caller != _book.owner());
            bytes4[4] memory ofBook = [
                RoundBook.setRoundParameters.selector,
                RoundBook.setRewardParameters.selector,
                _book.transferOwnership.selector,
                _book.renounceOwnership.selector
            ];
            for (uint256 i; i < ofBook.length; ++i) {
                if (which == i) _isRefused(address(_book), ofBook[i], caller);
            }
            return;
        }
        CHEATS.assume(caller != _feed.owner());
        bytes4[5] memory ofFeed = [
            ChainlinkPriceFeed.wire.selector,
            ChainlinkPriceFeed.setFeed.selector,
            ChainlinkPriceFeed.setSequencer.selector,
            _feed.transferOwnership.selector,
            _feed.renounceOwnership.selector
        ];
        for (uint256 i; i < ofFeed.length; ++i) {
            if (which == i + 4) _isRefused(address(_feed), ofFeed[i], caller);
        }
    }

    /// @notice Nobody but the guardian pauses, and nobody but the guardian and the owner ends a pause.
    function check_guardian(address caller) external {
        SYMBOLIC.enableSymbolicStorage(address(_exchange));
        CHEATS.assume(caller != _exchange.guardian());
        _isRefused(address(_exchange), Exchange.pause.selector, caller);
        CHEATS.assume(caller != _exchange.owner());
        _isRefused(address(_exchange), Exchange.endPause.selector, caller);
    }

    /// @notice Nobody but the exchange moves inventory, fees and markets in the fund, or fixes a price.
    function check_exchange(uint256 which, address caller) external {
        SYMBOLIC.enableSymbolicStorage(address(_fund));
        SYMBOLIC.enableSymbolicStorage(address(_feed));
        CHEATS.assume(caller != address(_exchange) && caller != _feed.exchange());
        bytes4[7] memory selectors = [
            InsuranceFund.assignMarket.selector,
            InsuranceFund.moveMarket.selector,
            InsuranceFund.sell.selector,
            InsuranceFund.net.selector,
            InsuranceFund.creditFee.selector,
            InsuranceFund.creditDust.selector,
            InsuranceFund.absorb.selector
        ];
        for (uint256 i; i < selectors.length; ++i) {
            if (which == i) _isRefused(address(_fund), selectors[i], caller);
        }
        if (which == selectors.length) _isRefused(address(_feed), ChainlinkPriceFeed.fix.selector, caller);
    }

    /// @notice Nobody but the fund has the exchange pay out, and nobody but the engine has it reward a keeper.
    function check_fundAndEngine(uint256 which, address caller) external {
        SYMBOLIC.enableSymbolicStorage(address(_exchange));
        CHEATS.assume(caller != _exchange.fund() && caller != _exchange.engine());
        if (which == 0) _isRefused(address(_exchange), Exchange.payOut.selector, caller);
        if (which == 1) _isRefused(address(_exchange), Exchange.rewardKeeper.selector, caller);
        if (which == 2) _isRefused(address(_exchange), Exchange.applyStress.selector, caller);
    }

    /// @notice Nobody but the treasury collects.
    function check_treasury(address caller) external {
        SYMBOLIC.enableSymbolicStorage(address(_exchange));
        (address treasury,,) = _exchange.reserves();
        CHEATS.assume(caller != treasury);
        _isRefused(address(_exchange), Exchange.collect.selector, caller);
    }

    /// @notice Nobody takes money out of another's account.
    function check_accountsOfOthers(uint256 which, address caller, AccountId account) external {
        SYMBOLIC.enableSymbolicStorage(address(_exchange));
        CHEATS.assume(caller != account.owner());
        if (which == 0) _isRefused(address(_exchange), abi.encodePacked(Exchange.withdraw.selector, account), caller);
        if (which == 1) _isRefused(address(_exchange), abi.encodePacked(Exchange.transfer.selector, account), caller);
        if (which == 2) _isRefused(address(_exchange), abi.encodePacked(Exchange.cancel.selector, account), caller);
        if (which == 3) {
            _isRefused(address(_exchange), abi.encodePacked(Exchange.buyInventory.selector, account), caller);
        }
    }

    function _isRefused(address target, bytes4 selector, address caller) private {
        _isRefused(target, abi.encodePacked(selector), caller);
    }

    /// @dev With any arguments after those in `data`.
    function _isRefused(address target, bytes memory data, address caller) private {
        CHEATS.prank(caller);
        // solhint-disable-next-line avoid-low-level-calls
        (bool accepted,) = target.call(abi.encodePacked(data, SYMBOLIC.createBytes(32 * WORDS, "arguments")));
        assert(!accepted);
    }
}
