/* Lists: runs, newest first, and definitions by name. */
#include "workflow/query.h"

#include "workflow/time.h"

enum {
    PAGE_DEFAULT = 50,
    PAGE_MAX = 1000,
    SCAN_ROWS = 128,
    LOOKED_AT_MAX = 16384, /* rows of one page; then it ends, whatever was found */
};

static uint32_t page_size(const struct msg_list *list)
{
    uint32_t limit = list->limit == 0 ? PAGE_DEFAULT : list->limit;
    return limit > PAGE_MAX ? PAGE_MAX : limit;
}

static bool run_is_wanted(const struct msg_list *list, const struct instance *row)
{
    return (list->namespace_name.size == 0 ||
            bytes_equal(list->namespace_name, row->namespace_name)) &&
           (list->definition.size == 0 || bytes_equal(list->definition, row->definition)) &&
           (list->status.size == 0 || bytes_equal(list->status, bytes_string(query_status(row))));
}

/* A page being filled. */
struct page {
    const struct msg_list *list;
    uint32_t limit;
    uint32_t count;
    uint32_t looked_at;
    struct bytes end; /* keys below this one are still to be looked at */
    bool is_done;     /* there are no more */
};

static enum pawl_error run_add(struct query *query, struct page *page, const struct row *row)
{
    struct query_run run;
    if (row->key.size != 16)
        return PAWL_E_CORRUPT;
    memcpy(run.id.byte, row->key.data, 16);
    TRY(instance_read(row->value, query->arena, &run.row));
    if (!run_is_wanted(page->list, &run.row))
        return PAWL_OK;
    pack_map(query->scratch, 8);
    query_head_pack(query->scratch, &run);
    page->count++;
    return PAWL_OK;
}

static enum pawl_error runs_scan(struct query *query, struct page *page)
{
    const struct view *view = query->rows.view;
    struct row rows[SCAN_ROWS];
    size_t count;
    TRY(view->scan_back(view->self, TABLE_INSTANCE, bytes_of(NULL, 0), page->end, SCAN_ROWS, rows,
                        &count));
    for (size_t i = 0; i < count && page->count < page->limit; i++) {
        page->end = arena_copy(query->arena, rows[i].key);
        if (page->end.data == NULL)
            return PAWL_E_NO_MEMORY;
        TRY(run_add(query, page, &rows[i]));
        page->looked_at++;
    }
    page->is_done = count < SCAN_ROWS && page->count < page->limit;
    return PAWL_OK;
}

static enum pawl_error after_read(struct query *query, struct bytes after, struct bytes *end_out)
{
    struct id128 run;
    *end_out = bytes_of(NULL, 0);
    if (after.size == 0)
        return PAWL_OK;
    if (!id128_parse(after, &run))
        return diag_fail(query->diag, PAWL_E_INVALID, "'after' is no `next` of a page before");
    *end_out = key_run(query->arena, run);
    return end_out->data == NULL ? PAWL_E_NO_MEMORY : PAWL_OK;
}

/* The elements are packed first, since their number comes before them. */
static enum pawl_error list_answer(struct query *query, const char *name, struct bytes elements,
                                   const struct page *page, struct bytes next,
                                   struct bytes *answer_out)
{
    struct buffer *out = query->scratch;
    size_t begin = out->size;
    pack_map(out, 2);
    pack_text(out, name);
    pack_array(out, page->count);
    buffer_append(out, elements.data, elements.size);
    pack_text(out, "next");
    if (page->is_done)
        pack_null(out);
    else
        pack_string(out, next);
    return query_answer_take(query, begin, answer_out);
}

static enum pawl_error elements_take(struct query *query, size_t begin, struct bytes *elements_out)
{
    *elements_out = bytes_of(NULL, 0);
    if (query->scratch->size == begin)
        return PAWL_OK;
    return query_answer_take(query, begin, elements_out);
}

enum pawl_error query_list(struct query *query, const struct msg_list *list,
                           struct bytes *answer_out)
{
    struct page page = {.list = list, .limit = page_size(list)};
    struct bytes elements;
    struct id128 last = {{0}};
    char next[37];
    if (query->rows.view->scan_back == NULL)
        return diag_fail(query->diag, PAWL_E_UNSUPPORTED, "lists need the view of a snapshot");
    TRY(after_read(query, list->after, &page.end));
    size_t begin = query->scratch->size;
    while (!page.is_done && page.count < page.limit && page.looked_at < LOOKED_AT_MAX)
        TRY(runs_scan(query, &page));
    TRY(elements_take(query, begin, &elements));
    if (page.end.size == 16)
        memcpy(last.byte, page.end.data, 16);
    id128_format(last, next);
    return list_answer(query, "instances", elements, &page, bytes_string(next), answer_out);
}

/* Split namespace NUL name NUL version. */
static bool definition_key_parse(struct bytes key, struct bytes *namespace_out,
                                 struct bytes *name_out, struct bytes *version_out)
{
    const uint8_t *first = memchr(key.data, 0, key.size);
    if (first == NULL)
        return false;
    size_t rest = key.size - (size_t)(first + 1 - key.data);
    const uint8_t *second = memchr(first + 1, 0, rest);
    if (second == NULL)
        return false;
    *namespace_out = bytes_of(key.data, (size_t)(first - key.data));
    *name_out = bytes_of(first + 1, (size_t)(second - first - 1));
    *version_out = bytes_of(second + 1, key.size - (size_t)(second + 1 - key.data));
    return true;
}

static enum pawl_error definition_add(struct query *query, struct page *page, const struct row *row)
{
    struct bytes namespace_name, name, version;
    struct definition_row definition;
    if (!definition_key_parse(row->key, &namespace_name, &name, &version))
        return PAWL_E_CORRUPT;
    const struct msg_list *list = page->list;
    bool is_wanted =
        (list->namespace_name.size == 0 || bytes_equal(list->namespace_name, namespace_name)) &&
        (list->definition.size == 0 || bytes_equal(list->definition, name));
    if (!is_wanted)
        return PAWL_OK;
    TRY(codec_decode(&schema_definition_row, row->value, query->arena, &definition, query->diag));
    struct buffer *out = query->scratch;
    pack_map(out, 4);
    query_text_pack(out, "namespace", namespace_name);
    query_text_pack(out, "name", name);
    query_text_pack(out, "version", version);
    pack_text(out, "deployedAt");
    time_pack(definition.deployed_us, out);
    page->count++;
    return PAWL_OK;
}

/* `next` of definitions: the last key with '/' for NUL, which no part of it contains. */
static struct bytes key_text(struct arena *arena, struct bytes key, uint8_t from, uint8_t to)
{
    uint8_t *text = arena_alloc(arena, key.size + 1);
    for (size_t i = 0; text != NULL && i < key.size; i++)
        text[i] = key.data[i] == from ? to : key.data[i];
    return bytes_of(text, text == NULL ? 0 : key.size);
}

static enum pawl_error definitions_scan(struct query *query, struct page *page, struct bytes *begin)
{
    const struct view *view = query->rows.view;
    struct row rows[SCAN_ROWS];
    size_t count;
    TRY(view->scan(view->self, TABLE_DEFINITION, *begin, bytes_of(NULL, 0), SCAN_ROWS, rows,
                   &count));
    for (size_t i = 0; i < count && page->count < page->limit; i++) {
        TRY(definition_add(query, page, &rows[i]));
        uint8_t *after = arena_alloc(query->arena, rows[i].key.size + 1);
        if (after == NULL)
            return PAWL_E_NO_MEMORY;
        memcpy(after, rows[i].key.data, rows[i].key.size); /* with a NUL: the next key */
        *begin = bytes_of(after, rows[i].key.size + 1);
    }
    page->is_done = count < SCAN_ROWS && page->count < page->limit;
    return PAWL_OK;
}

enum pawl_error query_definition_list(struct query *query, const struct msg_list *list,
                                      struct bytes *answer_out)
{
    struct page page = {.list = list, .limit = page_size(list)};
    struct bytes elements, begin_key = key_text(query->arena, list->after, '/', 0);
    size_t begin = query->scratch->size;
    while (!page.is_done && page.count < page.limit)
        TRY(definitions_scan(query, &page, &begin_key));
    TRY(elements_take(query, begin, &elements));
    return list_answer(query, "definitions", elements, &page,
                       key_text(query->arena, begin_key, 0, '/'), answer_out);
}

enum pawl_error query_definition_show(struct query *query, const struct msg_definition *wanted,
                                      struct bytes *answer_out)
{
    struct bytes namespace_name = wanted->namespace_name, version = wanted->version;
    struct definition_row row;
    enum pawl_error error = PAWL_OK;
    if (namespace_name.size == 0)
        namespace_name = BYTES_LITERAL("default");
    if (version.size == 0)
        error = changes_get(&query->rows, TABLE_LATEST,
                            key_name(query->arena, namespace_name, wanted->name), &version);
    if (error == PAWL_OK)
        error = changes_get_row(&query->rows, TABLE_DEFINITION,
                                key_definition(query->arena, namespace_name, wanted->name, version),
                                &schema_definition_row, &row);
    if (error == PAWL_E_NOT_FOUND)
        return diag_fail(query->diag, error, "there is no such definition");
    TRY(error);
    struct buffer *out = query->scratch;
    size_t begin = out->size;
    pack_map(out, 5);
    query_text_pack(out, "namespace", namespace_name);
    query_text_pack(out, "name", wanted->name);
    query_text_pack(out, "version", version);
    pack_text(out, "deployedAt");
    time_pack(row.deployed_us, out);
    pack_text(out, "definition");
    pack_value(out, row.value);
    return query_answer_take(query, begin, answer_out);
}
