/* The bytes of the log: segment headers and records. Source: docs/log-format.md.
 *
 * 1. Pure: bytes to structs and back; nothing here touches a disk.
 * 2. A header that decodes was written for exactly this segment and this offset.
 * 3. Stored records are whitened with the segment's salt, so a sector that was written is never all
 *    zero, and a sector that is all zero was never written.
 */
#ifndef PAWL_NODE_WAL_FORMAT_H
#define PAWL_NODE_WAL_FORMAT_H

#include "proto/bytes.h"
#include "proto/error.h"

#define WAL_VERSION             1
#define WAL_SECTOR_BYTES        512  /* what a power cut keeps or loses whole */
#define WAL_DATA_OFFSET         1024 /* two copies of the segment header, then records */
#define WAL_RECORD_HEADER_BYTES 48
#define WAL_STATE_BODY_BYTES    32
#define WAL_SEGMENT_BYTES_MIN   ((uint64_t)4096)
#define WAL_SEGMENT_BYTES_MAX   ((uint64_t)1 << 30)

/* Kinds on disk: enum wal_record_kind of wal.h, and this one, which the log writes for itself. */
#define WAL_STATE 6 /* what a partition was when its segment began */

struct wal_segment_header {
    uint64_t sequence; /* from 1 */
    uint64_t previous; /* sequence of the segment that this one continues; 0: none */
    uint64_t salt;     /* never 0 */
    uint64_t bytes;    /* preallocated size of the file */
    struct id128 cluster;
    uint64_t node;
    uint64_t incarnation;  /* of the node, when the segment began */
    uint64_t first_record; /* sequence number of its first record; all before it were durable */
    uint32_t state_count;  /* how many state records begin it, durable with this header */
};

struct wal_record_header {
    uint32_t body_crc;
    uint32_t body_bytes;
    uint8_t kind;
    uint8_t entry_kind;
    uint64_t sequence;
    uint32_t unsynced; /* sequence - unsynced was known durable when this was written; at least 1 */
    uint32_t partition;
    uint64_t index;
    uint64_t term;
};

/* Where a record stands; part of its checksum. */
struct wal_position {
    uint64_t salt, segment, offset;
};

void wal_segment_header_encode(const struct wal_segment_header *header,
                               uint8_t out[WAL_SECTOR_BYTES]);
/* PAWL_E_CORRUPT: not a header; PAWL_E_VERSION: whole, and of a newer format. */
MUST_USE enum pawl_error wal_segment_header_decode(const uint8_t in[WAL_SECTOR_BYTES],
                                                   struct wal_segment_header *header_out);

/* A record's whole size: its header and its body, padded to 8 bytes. */
static inline uint64_t wal_record_bytes(uint32_t body_bytes)
{
    return WAL_RECORD_HEADER_BYTES + ((uint64_t)body_bytes + 7) / 8 * 8;
}

/* Everything but the checksum, which wal_record_seal adds when the place is known. */
void wal_record_header_encode(const struct wal_record_header *header,
                              uint8_t out[WAL_RECORD_HEADER_BYTES]);
/* Fill in sequence, unsynced and the checksum of an encoded header. */
void wal_record_seal(uint8_t header[WAL_RECORD_HEADER_BYTES], uint64_t sequence, uint32_t unsynced,
                     const struct wal_position *position);
/* The fields, unchecked: of a header that this program has encoded itself. */
void wal_record_header_peek(const uint8_t in[WAL_RECORD_HEADER_BYTES],
                            struct wal_record_header *header_out);
/* From unwhitened bytes. False: not a header written for this position. */
bool wal_record_header_decode(const uint8_t in[WAL_RECORD_HEADER_BYTES],
                              const struct wal_position *position,
                              struct wal_record_header *header_out);

/* Whiten or unwhiten in place; size is a multiple of 8, data stands at an offset that is one. */
void wal_whiten(uint8_t *data, size_t size, uint64_t salt);
/* The same on the way from one place to another. */
void wal_whiten_copy(uint8_t *out, const uint8_t *data, size_t size, uint64_t salt);
bool wal_is_zero(const uint8_t *data, size_t size);

#endif
