/* Frames on their way to one receiver: sent in one round, delivered together in the next. */
#ifndef PAWL_BENCH_MAILBOX_H
#define PAWL_BENCH_MAILBOX_H

#include "proto/bytes.h"

struct mail {
    uint64_t source; /* connection, or node */
    uint8_t type;
    size_t begin, size; /* of the body, in the post's bytes */
};

struct post { /* of one round */
    struct mail *mails;
    size_t count, capacity;
    struct buffer bytes;
};

struct mailbox {
    struct post posts[2];
    unsigned arriving;                /* the post that is filled now */
    uint64_t frame_count, byte_count; /* ever put */
};

/* A frame of these parts, one behind the other. */
void mailbox_put(struct mailbox *mailbox, uint64_t source, uint8_t type, const struct bytes *parts,
                 size_t part_count);
/* A round begins: the frames to deliver, alive until the next call. */
const struct post *mailbox_take(struct mailbox *mailbox);
struct bytes mail_body(const struct post *post, const struct mail *mail);
void mailbox_done(struct mailbox *mailbox);

#endif
