/* File systems without direct writes, for the tests of the disk port. */
#ifndef TESTS_NODE_WAL_BUFFERED_H
#define TESTS_NODE_WAL_BUFFERED_H

#include <stddef.h>

enum buffered {
    BUFFERED_NOT,
    BUFFERED_OPEN,  /* no file is opened with O_DIRECT */
    BUFFERED_WRITE, /* files are, and refuse every block */
};

void buffered_set(enum buffered how);
/* Calls refused since then. */
size_t buffered_refused(void);

#endif
