// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {IERC20Metadata} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Metadata.sol";

import {Exchange} from "../../contracts/Exchange.sol";
import {InsuranceFund} from "../../contracts/InsuranceFund.sol";
import {InventoryModule} from "../../contracts/InventoryModule.sol";
import {MarketModule} from "../../contracts/MarketModule.sol";
import {PoolModule} from "../../contracts/PoolModule.sol";
import {PoolSharesFactory} from "../../contracts/PoolSharesFactory.sol";
import {RoundBook} from "../../contracts/RoundBook.sol";
import {SettlementModule} from "../../contracts/SettlementModule.sol";
import {SolvencyModule} from "../../contracts/SolvencyModule.sol";
import {ChainlinkPriceFeed} from "../../contracts/oracles/ChainlinkPriceFeed.sol";
import {Symbolic} from "./Symbolic.sol";

/// @title A token of 18 decimals, so that no amount is scaled: solvers are no good at multiplication
contract Token is ERC20 {
    constructor() ERC20("Symbolic", "SYM") {}

    function mint(address to, uint256 amount) external {
        _mint(to, amount);
    }
}

/// @title The deployed system, with this contract as its owner
abstract contract Venue is Symbolic {
    /// @dev What an engine would do is no part of any property here.
    address internal constant ENGINE = address(0xAD1);

    Token internal _token;
    ChainlinkPriceFeed internal _feed;
    Exchange internal _exchange;
    InsuranceFund internal _fund;
    RoundBook internal _book;

    function setUp() external {
        _token = new Token();
        _feed = new ChainlinkPriceFeed(address(this));
        IERC20Metadata token = IERC20Metadata(_token);
        _exchange = new Exchange(
            token,
            _feed,
            address(new SettlementModule(token, _feed)),
            address(new SolvencyModule(token, _feed)),
            address(new MarketModule(token, _feed)),
            address(this)
        );
        _fund = new InsuranceFund(
            _exchange,
            _feed,
            address(new InventoryModule(_exchange, _feed)),
            address(new PoolModule(_exchange, _feed, new PoolSharesFactory())),
            address(this)
        );
        _book = new RoundBook(_exchange, _fund, _feed, address(this));
        _feed.wire(address(_exchange));
        _exchange.wire(_fund, ENGINE);
        _fund.wire(ENGINE);
    }
}
