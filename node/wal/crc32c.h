/* CRC32C (Castagnoli), the checksum of the log. Source: RFC 3720, appendix B.4.
 *
 * 1. Both functions give the same number; wal_crc32c uses the processor's instruction when it has
 * one.
 * 2. A checksum is continued by passing it back in: crc(crc(0, a), b) is the checksum of a then b.
 */
#ifndef PAWL_NODE_WAL_CRC32C_H
#define PAWL_NODE_WAL_CRC32C_H

#include <stddef.h>
#include <stdint.h>

uint32_t wal_crc32c(uint32_t crc, const void *data, size_t size);
/* The same without the instruction; public so that a test can hold the two against each other. */
uint32_t wal_crc32c_table(uint32_t crc, const void *data, size_t size);

#endif
