// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC20Metadata} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Metadata.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {MessageHashUtils} from "@openzeppelin/contracts/utils/cryptography/MessageHashUtils.sol";
import {SignatureChecker} from "@openzeppelin/contracts/utils/cryptography/SignatureChecker.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";

import {DelegatedModule} from "./DelegatedModule.sol";
import {ExchangeStorage} from "./ExchangeStorage.sol";
import {MarginAccounts} from "./MarginAccounts.sol";
import {IExchange} from "./interfaces/IExchange.sol";
import {IPriceFeed} from "./interfaces/IPriceFeed.sol";
import {FundingMath} from "./libraries/FundingMath.sol";
import {Order, Orders} from "./libraries/Orders.sol";
import {WadMath} from "./libraries/WadMath.sol";
import {AccountId} from "./types/AccountId.sol";
import {Funding, Market} from "./types/Market.sol";
import {Pair} from "./types/Round.sol";

/// @title Trading: two signed orders against each other
contract SettlementModule is MarginAccounts, DelegatedModule, EIP712 {
    using SafeCast for int256;
    using SafeCast for uint256;
    using WadMath for int256;

    /// @dev A fill: what the taker takes, signed, at which price and mark, and what it costs both.
    struct Deal {
        uint16 market;
        uint256 price;
        uint256 mark;
        int256 change;
        int256 value;
        uint256 makerFee;
        uint256 takerFee;
    }

    constructor(IERC20Metadata collateral, IPriceFeed feed) ExchangeStorage(collateral, feed) EIP712("Backstop", "1") {}

    /// @notice See `IExchange.settle`.
    function settle(
        Order calldata maker,
        bytes calldata makerSignature,
        Order calldata taker,
        bytes calldata takerSignature,
        uint256 size
    ) external onlyDelegatecall {
        _settle(maker, makerSignature, taker, takerSignature, size);
    }

    /// @notice See `IExchange.settleBatch`.
    function settleBatch(Pair[] calldata pairs) external onlyDelegatecall returns (uint256 settled) {
        for (uint256 i; i < pairs.length; ++i) {
            // A wallet that is asked for its signature can burn all the gas it gets: its pair's share, and not the others'.
            try IExchange(address(this)).settleOne{gas: gasleft() / (pairs.length - i)}(pairs[i]) {
                ++settled;
            } catch (bytes memory reason) {
                emit IExchange.PairRefused(i, reason);
            }
        }
    }

    /// @notice See `IExchange.settleOne`.
    function settleOne(Pair calldata pair) external onlyDelegatecall {
        if (msg.sender != address(this)) revert IExchange.OnlyWithinBatch(msg.sender);
        _settle(pair.maker, pair.makerSignature, pair.taker, pair.takerSignature, pair.size);
    }

    function _settle(
        Order calldata maker,
        bytes calldata makerSignature,
        Order calldata taker,
        bytes calldata takerSignature,
        uint256 size
    ) private {
        _checkPair(maker, taker, size);
        bytes32 domain = _domainSeparatorV4();
        bytes32 makerOrder = _useOrder(maker, makerSignature, size, domain);
        bytes32 takerOrder = _useOrder(taker, takerSignature, size, domain);
        _match(maker, taker, size.toInt256(), makerOrder, takerOrder);
    }

    /// @dev Checks an order that is about to be filled by `size`, and counts the fill.
    function _useOrder(Order calldata order, bytes calldata signature, uint256 size, bytes32 domain)
        private
        returns (bytes32 hash)
    {
        hash = MessageHashUtils.toTypedDataHash(domain, Orders.hashStruct(order));
        if (order.size == 0) revert IExchange.OrderSizeZero(hash);
        _checkHolds(order.account, order.market);
        if (block.timestamp > order.expiry) revert IExchange.OrderExpired(hash, order.expiry);
        address signer = order.account.owner();
        uint64 epoch = _orderEpoch[signer];
        if (order.epoch != epoch) revert IExchange.OrderEpochNotCurrent(hash, order.epoch, epoch);
        uint256 done = _filled[hash];
        uint256 whole = order.size.abs();
        if (done == CANCELLED_FILL) revert IExchange.OrderCancelledAlready(hash);
        if (done == whole) revert IExchange.OrderFilled(hash, done, whole);
        if (size > whole - done) revert IExchange.OrderOverfilled(hash, size, whole - done);
        if (!_isSigned(signer, hash, signature)) revert IExchange.OrderSignatureInvalid(order.account, hash);
        _filled[hash] = done + size;
    }

    /// @dev A key's signature is tried first: it spares looking for a wallet's code, and holds for keys that delegate to code too.
    function _isSigned(address signer, bytes32 hash, bytes calldata signature) private view returns (bool) {
        (address recovered, ECDSA.RecoverError fault,) = ECDSA.tryRecoverCalldata(hash, signature);
        if (fault == ECDSA.RecoverError.NoError && recovered == signer) return true;
        return SignatureChecker.isValidERC1271SignatureNowCalldata(signer, hash, signature);
    }

    function _checkPair(Order calldata maker, Order calldata taker, uint256 size) private pure {
        if (maker.market != taker.market) revert IExchange.OrderMarketMismatch(maker.market, taker.market);
        if (maker.account == taker.account) revert IExchange.OrderWithSelf(maker.account);
        if ((maker.size > 0) == (taker.size > 0)) revert IExchange.OrderSidesEqual(maker.size, taker.size);
        if (size == 0) revert IExchange.FillZero();
        if (maker.limitPrice == 0 || maker.limitPrice > type(uint96).max) {
            revert IExchange.OrderPriceOutOfBounds(maker.limitPrice);
        }
        if (taker.size > 0 ? taker.limitPrice < maker.limitPrice : taker.limitPrice > maker.limitPrice) {
            revert IExchange.PriceNotCrossed(maker.limitPrice, taker.limitPrice);
        }
    }

    /// @dev One quote amount, made for the taker, moves from one account to the other; each pays its fee and meets its rules.
    function _match(Order calldata maker, Order calldata taker, int256 size, bytes32 makerOrder, bytes32 takerOrder)
        private
    {
        Deal memory deal;
        (deal.market, deal.price) = (maker.market, maker.limitPrice);
        deal.mark = _priceFeed.accept(deal.market);
        _checkBand(deal);
        int256 index = _accrue(deal.market);
        deal.change = taker.size > 0 ? size : -size;
        deal.value = deal.change.mulUp(int256(deal.price));
        _book(deal);
        int256 longChange = _trade(
            _open(maker.account, deal.market, deal.mark, index),
            Trade(-deal.change, -deal.value, deal.makerFee, maker.reduceOnly, true)
        );
        longChange += _trade(
            _open(taker.account, deal.market, deal.mark, index),
            Trade(deal.change, deal.value, deal.takerFee, taker.reduceOnly, true)
        );
        _moveOpenInterest(deal.market, longChange);
        _tell(deal, maker.account, taker.account, makerOrder, takerOrder);
    }

    function _tell(Deal memory deal, AccountId maker, AccountId taker, bytes32 makerOrder, bytes32 takerOrder) private {
        emit IExchange.Settled(
            deal.market,
            maker,
            taker,
            deal.change,
            deal.value,
            deal.price,
            deal.makerFee,
            deal.takerFee,
            makerOrder,
            takerOrder
        );
    }

    function _checkBand(Deal memory deal) private view {
        uint256 band = _markets[deal.market].priceBand;
        if (band == 0) revert IExchange.MarketClosed(deal.market);
        if (band == type(uint64).max) return;
        uint256 distance = deal.price > deal.mark ? deal.price - deal.mark : deal.mark - deal.price;
        if (distance * WadMath.UWAD > band * deal.mark) revert IExchange.PriceOutsideBand(deal.price, deal.mark, band);
    }

    /// @dev What a fill leaves in the market: its premium for funding, and both fees, each rounded up.
    function _book(Deal memory deal) private {
        Market storage listed = _markets[deal.market];
        Funding storage funding = listed.funding;
        (uint256 contracts, uint256 notional) = (deal.change.abs(), deal.value.abs());
        deal.makerFee = Math.mulDiv(notional, listed.makerFee, WadMath.UWAD, Math.Rounding.Ceil);
        deal.takerFee = Math.mulDiv(notional, listed.takerFee, WadMath.UWAD, Math.Rounding.Ceil);
        uint256 fees = deal.makerFee + deal.takerFee;
        if (fees != 0) funding.fees = (funding.fees + fees).toUint112();
        uint256 cap = funding.cap;
        if (cap == 0) return;
        int256 premium = FundingMath.premiumOf(contracts, deal.price, deal.mark, cap);
        (funding.premium, funding.volume) =
        ((funding.premium + premium).toInt128(), (funding.volume + contracts).toUint128());
    }
}
