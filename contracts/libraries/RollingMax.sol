// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title The maximum of a sampled value over the last eight hours
/// @notice Time is cut into buckets of 15 minutes. The head keeps the last sample and the maximum of the bucket that is
/// being filled; a sample in a later bucket files that maximum in a ring of 33 and opens its own bucket with the larger of the
/// last sample and itself, because between samples the value held still. So the maximum read is never below that of the
/// samples in the window (the last one before it counts as its first), and at most one bucket older.
library RollingMax {
    uint256 internal constant BUCKET = 15 minutes;
    /// @dev Whole buckets in eight hours.
    uint256 internal constant WINDOW_BUCKETS = 32;
    /// @dev One more than the window, and odd, so that a filed entry could be mistaken for a fresh one only after 30 years.
    uint256 internal constant SLOTS = 33;

    /// @param last Value of the last sample, WAD.
    /// @param max Maximum of the head's bucket, WAD.
    /// @param epoch Number of the head's bucket since 1970; 0 for a ring without samples.
    struct Ring {
        int112 last;
        int112 max;
        uint32 epoch;
        uint256[17] filed;
    }

    /// @notice Records a sample, saturating at 112 bits.
    function touch(Ring storage ring, int256 sample) internal {
        int112 value = _saturated(sample);
        uint32 epoch = uint32(block.timestamp / BUCKET);
        int112 last = ring.last;
        int112 highest = ring.max;
        uint32 head = ring.epoch;
        if (head == epoch) {
            if (value > highest) highest = value;
        } else {
            if (head != 0) _file(ring, head, highest);
            highest = head != 0 && last > value ? last : value;
        }
        (ring.last, ring.max, ring.epoch) = (value, highest, epoch);
    }

    /// @notice The largest sample of the window that ends now; `present` counts as one.
    function maximum(Ring storage ring, int256 present) internal view returns (int256 highest) {
        highest = present;
        uint256 head = ring.epoch;
        if (head == 0) return highest;
        if (ring.last > highest) highest = ring.last;
        uint256 nowEpoch = block.timestamp / BUCKET;
        uint256 oldest = nowEpoch - WINDOW_BUCKETS;
        if (head < oldest) return highest;
        if (ring.max > highest) highest = ring.max;
        for (uint256 i; i < SLOTS; i += 2) {
            uint256 word = ring.filed[i / 2];
            if (word == 0) continue;
            highest = _larger(highest, word & type(uint128).max, i, oldest, head);
            highest = _larger(highest, word >> 128, i + 1, oldest, head);
        }
    }

    /// @dev An entry is 112 bits of value above its 16-bit tag.
    function _file(Ring storage ring, uint256 epoch, int112 value) private {
        uint256 slot = epoch % SLOTS;
        uint256 entry = (uint256(uint112(value)) << 16) | _tag(epoch);
        uint256 shift = (slot % 2) * 128;
        uint256 word = ring.filed[slot / 2];
        ring.filed[slot / 2] = (word & ~(uint256(type(uint128).max) << shift)) | (entry << shift);
    }

    /// @dev The one epoch in `[oldest, oldest + 32]` that files in `slot`, if the entry is of it and older than the head.
    function _larger(int256 highest, uint256 entry, uint256 slot, uint256 oldest, uint256 head)
        private
        pure
        returns (int256)
    {
        uint256 epoch = oldest + (slot + SLOTS - oldest % SLOTS) % SLOTS;
        if (epoch >= head || _tag(epoch) != uint16(entry)) return highest;
        int256 value = int112(uint112(entry >> 16));
        return value > highest ? value : highest;
    }

    /// @dev No result, however absurd, may stop a takeover or a round.
    function _saturated(int256 sample) private pure returns (int112) {
        if (sample > type(int112).max) return type(int112).max;
        if (sample < type(int112).min) return type(int112).min;
        return int112(sample);
    }

    /// @dev The low 15 bits of an epoch, and a bit that tells an entry from an empty place.
    function _tag(uint256 epoch) private pure returns (uint16) {
        return uint16(epoch | 0x8000);
    }
}
