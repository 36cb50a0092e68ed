/* pawl cluster ... */
#include <stdio.h>

#include "client/cli/session.h"
#include "proto/limits.h"
#include "proto/value.h"

static void members_print(struct bytes answer)
{
    static const struct column columns[] = {
        {"NODE", "node"},
        {"NAME", "name"},
        {"PEER", "peerAddress"},
        {"CLIENT", "clientAddress"},
        {"MATCH", "matchIndex"},
        {"HEARD MS AGO", "lastHeardMs"},
        {0},
    };
    struct bytes members;
    if (value_map_get(answer, BYTES_LITERAL("members"), &members))
        table_print(members, columns);
}

/* Everything but the members, who get a table. */
static void status_print(struct bytes answer)
{
    struct value_cursor cursor = value_cursor_of(answer);
    struct value_head head, key;
    struct bytes value;
    struct buffer rest = {0};
    uint32_t count = 0;
    if (value_kind_of(answer) != VALUE_MAP || value_next(&cursor, &head) != PAWL_OK)
        return;
    for (uint32_t i = 0; i < head.count; i++) {
        if (value_next(&cursor, &key) != PAWL_OK || value_take(&cursor, &value) != PAWL_OK)
            break;
        if (bytes_equal(key.bytes, BYTES_LITERAL("members")))
            continue;
        pack_string(&rest, key.bytes);
        pack_value(&rest, value);
        count++;
    }
    struct buffer map = {0};
    pack_map(&map, count);
    pack_value(&map, buffer_bytes(&rest));
    map_print(buffer_bytes(&map));
    buffer_done(&rest);
    buffer_done(&map);
    members_print(answer);
}

enum exit_code cluster_status(const struct arguments *arguments)
{
    struct session session;
    enum exit_code code = session_open(&session, arguments);
    if (code != EXIT_OK)
        return code;
    code = session_answered(&session, pawl_status(session.pawl, &session.answer, &session.diag),
                            status_print);
    session_close(&session);
    return code;
}

/* Split at commas; the number of parts, 0 when they are too many. */
static size_t peers_split(char *text, const char *peers[])
{
    size_t count = 0;
    char *save;
    for (char *at = strtok_r(text, ",", &save); at != NULL; at = strtok_r(NULL, ",", &save)) {
        if (count == MEMBERS_MAX)
            return 0;
        peers[count++] = at;
    }
    return count;
}

enum exit_code cluster_init(const struct arguments *arguments)
{
    struct session session;
    const char *peers[MEMBERS_MAX], *given = arguments->values[OPTION_PEERS];
    char text[MEMBERS_MAX * (NAME_BYTES_MAX + 1) + 1];
    if (given == NULL || strlen(given) >= sizeof text) {
        (void)error_print(arguments, PAWL_E_INVALID,
                          "--peers is missing: the peer addresses of all nodes", NULL);
        return EXIT_USAGE;
    }
    strcpy(text, given);
    size_t count = peers_split(text, peers);
    enum exit_code code = session_open(&session, arguments);
    if (code != EXIT_OK)
        return code;
    code = session_answered(&session,
                            pawl_init(session.pawl, peers, count, &session.answer, &session.diag),
                            status_print);
    session_close(&session);
    return code;
}
