/* cmocka, and the one assertion that these tests share. */
#ifndef PAWL_TESTS_NODE_WAL_CHECK_H
#define PAWL_TESTS_NODE_WAL_CHECK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* NULL is right; anything else is a sentence that says what is wrong. */
static inline void check_right(const char *wrong)
{
    if (wrong != NULL)
        fail_msg("%s", wrong);
}

#endif
