// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC20Metadata} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Metadata.sol";

import {IExchange} from "./interfaces/IExchange.sol";
import {IInsuranceFund} from "./interfaces/IInsuranceFund.sol";
import {IPriceFeed} from "./interfaces/IPriceFeed.sol";
import {AccountId} from "./types/AccountId.sol";
import {Market} from "./types/Market.sol";
import {CrossAccount, Position} from "./types/Position.sol";

/// @title State of the exchange
/// @notice `Exchange` is what users call; its modules run in its storage by delegatecall and carry what would not fit into
/// 24,576 bytes. All inherit this contract first, so the layout is one.
abstract contract ExchangeStorage {
    /// @dev What a cancelled order is marked with, in place of the contracts that are filled.
    uint256 internal constant CANCELLED_FILL = type(uint256).max;

    IERC20Metadata internal immutable _token;
    IPriceFeed internal immutable _priceFeed;
    uint256 internal immutable _tokenScale;

    mapping(AccountId account => mapping(uint16 market => Position)) internal _positions;
    mapping(AccountId account => CrossAccount) internal _cross;
    mapping(uint16 market => Market) internal _markets;
    mapping(uint16 market => AccountId[]) internal _accounts;
    AccountId[] internal _crossAccounts;
    mapping(bytes32 order => uint256) internal _filled;
    mapping(address owner => uint64) internal _orderEpoch;
    mapping(bytes32 name => bool) internal _nameTaken;
    /// @dev Positions, and margin and legs of cross accounts, as they were in a round and in those before it that they were not
    /// touched since; each carries the marker of the one before.
    mapping(AccountId account => mapping(uint16 market => mapping(uint32 round => Position))) internal _positionsThen;
    mapping(AccountId account => mapping(uint32 round => CrossAccount)) internal _crossThen;
    /// @dev The last deleveraging round behind a pool, whichever its market: cross accounts that hold something there must be known of it.
    mapping(uint16 pool => uint32) internal _crossMarkers;
    /// @dev Every maintenance margin fraction that a market has had, by version from 1, the last one in force; at 0 stands how many.
    mapping(uint16 market => mapping(uint256 version => uint64)) internal _maintenanceFractions;
    address internal _engine;
    uint64 internal _backstopRatio;
    IInsuranceFund internal _fund;
    uint16 internal _marketCount;
    uint64 internal _warningRate;
    /// @dev Who may collect the treasury's fees, and what is there for it and for keepers, WAD quote.
    address internal _treasury;
    /// @dev The first of the rounds that may still be challenged, and until when the last of them may be, seconds.
    uint32 internal _firstOpenRound;
    uint40 internal _roundsOpenUntil;
    uint128 internal _treasuryBalance;
    uint128 internal _keeperBudget;

    constructor(IERC20Metadata collateral, IPriceFeed feed) {
        uint8 decimals = collateral.decimals();
        if (decimals > 18) revert IExchange.TokenDecimalsUnsupported(decimals);
        _token = collateral;
        _priceFeed = feed;
        _tokenScale = 10 ** (18 - decimals);
    }

    /// @dev Reverts where an account's id is malformed, or an isolated one names a market that is not listed.
    function _checkAccount(AccountId account) internal view {
        if (!account.isWellFormed()) revert IExchange.AccountMalformed(account);
        if (!account.isCross()) _checkListed(account.market());
    }

    /// @dev Reverts where an account may not hold a market.
    function _checkHolds(AccountId account, uint16 marketId) internal view {
        if (!account.isWellFormed()) revert IExchange.AccountMalformed(account);
        _checkListed(marketId);
        if (account.isCross() || account.market() == marketId) return;
        _checkListed(account.market());
        revert IExchange.AccountOfOtherMarket(account, marketId);
    }

    /// @dev Reverts where a market was closed: only then has it no price band.
    function _checkOpen(uint16 marketId) internal view {
        if (_markets[marketId].priceBand == 0) revert IExchange.MarketClosed(marketId);
    }

    function _checkListed(uint16 marketId) internal view {
        // Every listed market has one, and a trade reads that slot anyway.
        if (_markets[marketId].initialMarginFraction == 0) revert IExchange.MarketUnlisted(marketId);
    }
}
