#include "node/wal/block.h"

#include <stdlib.h>

#include "proto/large_pages.h"

static size_t block_bytes(const struct disk_port *disk)
{
    return disk->block_bytes != 0 ? disk->block_bytes : WAL_SECTOR_BYTES;
}

static uint64_t block_begin(uint64_t offset, size_t block)
{
    return offset / block * block;
}

static size_t block_end(uint64_t offset, size_t block)
{
    return (size_t)block_begin(offset + block - 1, block);
}

void wal_blocks_done(struct wal_blocks *blocks)
{
    free(blocks->data);
    *blocks = (struct wal_blocks){0};
}

/* Room for `size` bytes, a whole number of blocks; the first `kept` stay. A busy log's is large
 * pages. */
static enum pawl_error reserve(struct wal_blocks *blocks, size_t size, size_t kept)
{
    enum { BUSY_BYTES = 128 << 10 };
    if (size <= blocks->capacity)
        return PAWL_OK;
    size_t capacity = blocks->capacity > size / 2 ? 2 * blocks->capacity : size;
    if (capacity >= BUSY_BYTES && capacity < LARGE_PAGE_BYTES)
        capacity = LARGE_PAGE_BYTES;
    uint8_t *data = large_pages_alloc(capacity);
    if (data == NULL)
        return PAWL_E_NO_MEMORY;
    if (blocks->data != NULL)
        memcpy(data, blocks->data, kept);
    free(blocks->data);
    blocks->data = data;
    blocks->capacity = capacity;
    return PAWL_OK;
}

/* Hold the last block of the segment up to its end: after a start, and when a segment begins. */
static enum pawl_error tail_load(struct wal_blocks *blocks, const struct disk_port *disk,
                                 const struct wal_segment *segment, size_t tail)
{
    size_t size = 0;
    blocks->segment = 0;
    if (disk->read(disk->self, segment->file, segment->end - tail, blocks->data, tail, &size) !=
            0 ||
        size != tail)
        return PAWL_E_IO;
    blocks->segment = segment->header.sequence;
    blocks->end = segment->end;
    return PAWL_OK;
}

/* The records are written: hold the block in which they end. */
static void tail_move(struct wal_blocks *blocks, uint64_t begin, uint64_t end, size_t block)
{
    const uint64_t last = block_begin(end, block);
    memmove(blocks->data, blocks->data + (last - begin), (size_t)(end - last));
    blocks->end = end;
}

enum pawl_error wal_blocks_write(struct wal_blocks *blocks, const struct disk_port *disk,
                                 const struct wal_segment *segment, struct bytes records,
                                 int *error_out)
{
    const size_t block = block_bytes(disk);
    const uint64_t begin = block_begin(segment->end, block), end = segment->end + records.size;
    const size_t tail = (size_t)(segment->end - begin), used = tail + records.size;
    size_t size = block_end(used, block);
    TRY(reserve(blocks, size, tail));
    if (blocks->segment != segment->header.sequence || blocks->end != segment->end)
        TRY(tail_load(blocks, disk, segment, tail));
    wal_whiten_copy(blocks->data + tail, records.data, records.size, segment->header.salt);
    memset(blocks->data + used, 0, size - used);
    if (begin + size > segment->header.bytes) /* a segment need not be a whole number of blocks */
        size = (size_t)(segment->header.bytes - begin);
    *error_out = disk->write(disk->self, segment->file, begin, blocks->data, size);
    if (*error_out == 0)
        tail_move(blocks, begin, end, block);
    return PAWL_OK;
}
