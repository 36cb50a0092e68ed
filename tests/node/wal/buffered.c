/* A system that knows no O_DIRECT, or knows it and takes no blocks: linked into the tests of the
 * disk port in front of the real calls. */
#include "tests/node/wal/buffered.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <sys/types.h>

static enum buffered buffered;
static size_t refused_count;

void buffered_set(enum buffered how)
{
    buffered = how;
    refused_count = 0;
}

size_t buffered_refused(void)
{
    return refused_count;
}

int __real_openat(int directory, const char *name, int flags, mode_t mode);
int __wrap_openat(int directory, const char *name, int flags, ...);
ssize_t __real_pwrite(int descriptor, const void *data, size_t size, off_t offset);
ssize_t __wrap_pwrite(int descriptor, const void *data, size_t size, off_t offset);

static int refuse(void)
{
    refused_count++;
    errno = EINVAL;
    return -1;
}

int __wrap_openat(int directory, const char *name, int flags, ...)
{
    va_list rest;
    va_start(rest, flags);
    const mode_t mode = (flags & O_CREAT) != 0 ? va_arg(rest, mode_t) : 0;
    va_end(rest);
    if (buffered == BUFFERED_OPEN && (flags & O_DIRECT) != 0)
        return refuse();
    return __real_openat(directory, name, flags, mode);
}

ssize_t __wrap_pwrite(int descriptor, const void *data, size_t size, off_t offset)
{
    if (buffered == BUFFERED_WRITE && (fcntl(descriptor, F_GETFL) & O_DIRECT) != 0)
        return refuse();
    return __real_pwrite(descriptor, data, size, offset);
}
