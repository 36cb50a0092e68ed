#include "tests/bench/mailbox.h"

#include <stdlib.h>

#include "tests/sim/must.h"

enum { POST_BYTES_MAX = 1 << 28 };

void mailbox_put(struct mailbox *mailbox, uint64_t source, uint8_t type, const struct bytes *parts,
                 size_t part_count)
{
    struct post *post = &mailbox->posts[mailbox->arriving];
    post->bytes.limit = POST_BYTES_MAX;
    if (post->count == post->capacity) {
        post->capacity = post->capacity * 2 + 64;
        post->mails = must_resize(post->mails, post->capacity * sizeof *post->mails);
    }
    struct mail *mail = &post->mails[post->count++];
    *mail = (struct mail){source, type, post->bytes.size, 0};
    for (size_t i = 0; i < part_count; i++)
        buffer_append(&post->bytes, parts[i].data, parts[i].size);
    mail->size = post->bytes.size - mail->begin;
    mailbox->frame_count++;
    mailbox->byte_count += mail->size;
}

const struct post *mailbox_take(struct mailbox *mailbox)
{
    const struct post *taken = &mailbox->posts[mailbox->arriving];
    mailbox->arriving ^= 1;
    mailbox->posts[mailbox->arriving].count = 0;
    buffer_reset(&mailbox->posts[mailbox->arriving].bytes);
    return taken;
}

struct bytes mail_body(const struct post *post, const struct mail *mail)
{
    return bytes_of(post->bytes.data + mail->begin, mail->size);
}

void mailbox_done(struct mailbox *mailbox)
{
    for (size_t i = 0; i < 2; i++) {
        free(mailbox->posts[i].mails);
        buffer_done(&mailbox->posts[i].bytes);
    }
}
