#include "node/wal/format.h"

#include "node/wal/crc32c.h"
#include "node/wal/wal.h"

static const uint8_t magic[8] = {'p', 'a', 'w', 'l', '-', 'w', 'a', 'l'};

enum { SEGMENT_CRC_AT = WAL_SECTOR_BYTES - 4 };

void wal_segment_header_encode(const struct wal_segment_header *header,
                               uint8_t out[WAL_SECTOR_BYTES])
{
    memset(out, 0, WAL_SECTOR_BYTES);
    memcpy(out, magic, sizeof magic);
    le32_put(out + 8, WAL_VERSION);
    le32_put(out + 12, header->state_count);
    le64_put(out + 16, header->sequence);
    le64_put(out + 24, header->previous);
    le64_put(out + 32, header->salt);
    le64_put(out + 40, header->bytes);
    memcpy(out + 48, header->cluster.byte, sizeof header->cluster.byte);
    le64_put(out + 64, header->node);
    le64_put(out + 72, header->incarnation);
    le64_put(out + 80, header->first_record);
    le32_put(out + SEGMENT_CRC_AT, wal_crc32c(0, out, SEGMENT_CRC_AT));
}

static bool segment_header_is_sound(const struct wal_segment_header *header)
{
    return header->sequence != 0 && header->previous < header->sequence &&
           header->sequence < UINT32_MAX && header->salt != 0 && header->first_record != 0 &&
           header->bytes >= WAL_SEGMENT_BYTES_MIN && header->bytes <= WAL_SEGMENT_BYTES_MAX &&
           header->bytes % WAL_SECTOR_BYTES == 0;
}

enum pawl_error wal_segment_header_decode(const uint8_t in[WAL_SECTOR_BYTES],
                                          struct wal_segment_header *header_out)
{
    if (memcmp(in, magic, sizeof magic) != 0 ||
        le32_get(in + SEGMENT_CRC_AT) != wal_crc32c(0, in, SEGMENT_CRC_AT))
        return PAWL_E_CORRUPT;
    if (le32_get(in + 8) != WAL_VERSION)
        return PAWL_E_VERSION;
    struct wal_segment_header header = {
        .state_count = le32_get(in + 12),
        .sequence = le64_get(in + 16),
        .previous = le64_get(in + 24),
        .salt = le64_get(in + 32),
        .bytes = le64_get(in + 40),
        .node = le64_get(in + 64),
        .incarnation = le64_get(in + 72),
        .first_record = le64_get(in + 80),
    };
    memcpy(header.cluster.byte, in + 48, sizeof header.cluster.byte);
    if (!segment_header_is_sound(&header))
        return PAWL_E_CORRUPT;
    *header_out = header;
    return PAWL_OK;
}

static uint32_t record_crc(const uint8_t header[WAL_RECORD_HEADER_BYTES],
                           const struct wal_position *position)
{
    uint8_t place[24];
    le64_put(place, position->salt);
    le64_put(place + 8, position->segment);
    le64_put(place + 16, position->offset);
    return wal_crc32c(wal_crc32c(0, place, sizeof place), header + 4, WAL_RECORD_HEADER_BYTES - 4);
}

void wal_record_header_encode(const struct wal_record_header *header,
                              uint8_t out[WAL_RECORD_HEADER_BYTES])
{
    le32_put(out, 0);
    le32_put(out + 4, header->body_crc);
    le32_put(out + 8, header->body_bytes);
    out[12] = header->kind;
    out[13] = header->entry_kind;
    out[14] = out[15] = 0;
    le64_put(out + 16, header->sequence);
    le32_put(out + 24, header->unsynced);
    le32_put(out + 28, header->partition);
    le64_put(out + 32, header->index);
    le64_put(out + 40, header->term);
}

void wal_record_seal(uint8_t header[WAL_RECORD_HEADER_BYTES], uint64_t sequence, uint32_t unsynced,
                     const struct wal_position *position)
{
    le64_put(header + 16, sequence);
    le32_put(header + 24, unsynced);
    le32_put(header, record_crc(header, position));
}

void wal_record_header_peek(const uint8_t in[WAL_RECORD_HEADER_BYTES],
                            struct wal_record_header *header_out)
{
    *header_out = (struct wal_record_header){
        .body_crc = le32_get(in + 4),
        .body_bytes = le32_get(in + 8),
        .kind = in[12],
        .entry_kind = in[13],
        .sequence = le64_get(in + 16),
        .unsynced = le32_get(in + 24),
        .partition = le32_get(in + 28),
        .index = le64_get(in + 32),
        .term = le64_get(in + 40),
    };
}

bool wal_record_header_decode(const uint8_t in[WAL_RECORD_HEADER_BYTES],
                              const struct wal_position *position,
                              struct wal_record_header *header_out)
{
    if (in[12] < WAL_HARD_STATE || in[12] > WAL_STATE || in[14] != 0 || in[15] != 0)
        return false;
    if (le32_get(in) != record_crc(in, position))
        return false;
    struct wal_record_header header;
    wal_record_header_peek(in, &header);
    if (header.unsynced == 0 || header.unsynced > header.sequence)
        return false;
    if (header.kind == WAL_STATE ? header.body_bytes != WAL_STATE_BODY_BYTES
                                 : header.kind != WAL_ENTRY && header.body_bytes != 0)
        return false;
    *header_out = header;
    return true;
}

void wal_whiten_copy(uint8_t *out, const uint8_t *data, size_t size, uint64_t salt)
{
    uint8_t pattern[8];
    le64_put(pattern, salt);
    uint64_t word;
    memcpy(&word, pattern, sizeof word);
    size_t i = 0;
    for (; size - i >= 32; i += 32) { /* four at once, as vectors take them */
        uint64_t stored[4];
        memcpy(stored, data + i, sizeof stored);
        for (int k = 0; k < 4; k++)
            stored[k] ^= word;
        memcpy(out + i, stored, sizeof stored);
    }
    for (; i < size; i += 8) {
        uint64_t stored;
        memcpy(&stored, data + i, sizeof stored);
        stored ^= word;
        memcpy(out + i, &stored, sizeof stored);
    }
}

void wal_whiten(uint8_t *data, size_t size, uint64_t salt)
{
    wal_whiten_copy(data, data, size, salt);
}

bool wal_is_zero(const uint8_t *data, size_t size)
{
    return size == 0 || (data[0] == 0 && memcmp(data, data + 1, size - 1) == 0);
}
