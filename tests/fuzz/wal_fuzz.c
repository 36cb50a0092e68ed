/* Bytes as the files of a log: opening, reading and going on never crashes, whatever they are. The
 * first byte says how many segments the rest is divided into; whether headers and checksums are put
 * right, so that what is behind them is reached; the records stay as they come. */
#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "node/wal/crc32c.h"
#include "node/wal/format.h"
#include "node/wal/wal.h"
#include "tests/sim/disk.h"

enum { SEGMENTS_MAX = 3, SEGMENT_BYTES = 4096 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Header fields from four bytes of the input, the rest as this log would have written it. */
static void header_mend(uint8_t *segment, const uint8_t seed[4], uint64_t sequence, uint8_t salt)
{
    const struct wal_segment_header header = {
        .sequence = sequence,
        .previous = seed[0] % 4 < sequence ? seed[0] % 4 : sequence - 1,
        .salt = (uint64_t)salt + 1,
        .bytes = SEGMENT_BYTES,
        .node = 1,
        .incarnation = seed[1],
        .first_record = (uint64_t)seed[2] % 8 + 1,
        .state_count = seed[3] % 4,
    };
    wal_segment_header_encode(&header, segment);
    memcpy(segment + WAL_SECTOR_BYTES, segment, WAL_SECTOR_BYTES);
}

/* Seal the records in a row as they come, so that replay reaches odd but whole ones. */
static void records_mend(uint8_t *segment, uint64_t sequence, uint8_t salt, uint64_t first)
{
    struct wal_position position = {(uint64_t)salt + 1, sequence, WAL_DATA_OFFSET};
    for (uint64_t number = first; position.offset + WAL_RECORD_HEADER_BYTES <= SEGMENT_BYTES;
         number++) {
        uint8_t *record = segment + position.offset;
        record[12] = (uint8_t)(record[12] % 7); /* kind */
        record[14] = record[15] = record[10] = record[11] = 0;
        record[9] &= 3; /* small bodies */
        if (record[12] != WAL_ENTRY)
            le32_put(record + 8, record[12] == WAL_STATE ? WAL_STATE_BODY_BYTES : 0);
        uint32_t body_bytes = le32_get(record + 8);
        uint64_t bytes = wal_record_bytes(body_bytes);
        if (position.offset + bytes > SEGMENT_BYTES)
            return;
        le32_put(record + 4, wal_crc32c(0, record + WAL_RECORD_HEADER_BYTES, body_bytes));
        wal_record_seal(record, number, (uint32_t)(number % 3 + 1 > number ? 1 : number % 3 + 1),
                        &position);
        wal_whiten(record, (size_t)bytes, position.salt);
        position.offset += bytes;
    }
}

static void log_use(struct wal *wal, const struct wal_recovery *recovery)
{
    for (size_t i = 0; i < recovery->partition_count; i++) {
        const struct wal_partition *partition = &recovery->partitions[i];
        struct arena arena = {0};
        struct wal_entry *entries;
        size_t count;
        if (partition->last_index > partition->base_index)
            (void)wal_read(wal, partition->partition, partition->base_index + 1,
                           partition->last_index, 1 << 20, &arena, &entries, &count);
        arena_done(&arena);
        const struct wal_record record = {
            .kind = WAL_ENTRY,
            .partition = partition->partition,
            .entry = {.index = partition->last_index + 1, .term = partition->term, .kind = 1}};
        if (wal_append(wal, &record) == PAWL_OK)
            (void)wal_sync(wal, NULL);
        (void)wal_cut(wal, partition->partition, partition->last_index, NULL);
    }
}

static void log_open_and_use(struct sim_disk *disk)
{
    const struct wal_options options = {.disk = sim_disk_port(disk),
                                        .node = 1,
                                        .salt = 77,
                                        .segment_bytes = SEGMENT_BYTES,
                                        .spare_segments = 1};
    for (int life = 0; life < 2; life++) {
        struct arena arena = {0};
        struct wal_recovery recovery;
        struct wal *wal;
        enum pawl_error error = wal_open(&options, &arena, &recovery, &wal, NULL);
        if (error == PAWL_OK) {
            assert(life == 0 || recovery.health == WAL_HEALTHY); /* what was found is mended */
            log_use(wal, &recovery);
            wal_close(wal);
        }
        arena_done(&arena);
    }
}

/* One segment from its part of the input; its length in the file. */
static size_t segment_make(uint8_t segment[SEGMENT_BYTES], const uint8_t options[2],
                           struct bytes part, uint64_t sequence)
{
    bool mends_header = options[0] & 4, mends_records = options[0] & 8;
    memset(segment, 0, SEGMENT_BYTES);
    if (part.size < 4)
        return SEGMENT_BYTES;
    size_t begin = mends_header ? WAL_DATA_OFFSET : 0;
    size_t taken = part.size - 4 < SEGMENT_BYTES - begin ? part.size - 4 : SEGMENT_BYTES - begin;
    memcpy(segment + begin, part.data + 4, taken);
    if (mends_header)
        header_mend(segment, part.data, sequence, options[1]);
    if (mends_header && mends_records)
        records_mend(segment, sequence, options[1], le64_get(segment + 80));
    return options[0] & 16 ? begin + taken : SEGMENT_BYTES;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    struct sim_disk *disk = sim_disk_new(1);
    size_t segments = data[0] % 4 % SEGMENTS_MAX + 1;
    size_t part = (size - 2) / segments;
    for (size_t i = 0; disk != NULL && i < segments; i++) {
        uint8_t segment[SEGMENT_BYTES];
        size_t bytes = segment_make(segment, data, bytes_of(data + 2 + i * part, part), i + 1);
        char name[40];
        snprintf(name, sizeof name, "segment-%020u", (unsigned)i + 1);
        sim_disk_put(disk, name, bytes_of(segment, i + 1 == segments ? bytes : SEGMENT_BYTES));
    }
    if (disk != NULL) {
        log_open_and_use(disk);
        sim_disk_free(disk);
    }
    return 0;
}
