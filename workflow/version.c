#include "workflow/version.h"

static bool is_alphanumeric(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/* Digits without a leading zero at `at`; the place after them, or 0. */
static size_t number_end(struct bytes text, size_t at)
{
    size_t end = at;
    while (end < text.size && text.data[end] >= '0' && text.data[end] <= '9')
        end++;
    bool is_fine = end > at && end - at <= 9 && (text.data[at] != '0' || end == at + 1);
    return is_fine ? end : 0;
}

/* Dot-separated words of letters, digits and '-' from `at` on, up to `stop` or the end; its place,
 * or 0. */
static size_t words_end(struct bytes text, size_t at, uint8_t stop)
{
    size_t word = 0;
    for (; at < text.size && text.data[at] != stop; at++) {
        bool is_dot = text.data[at] == '.';
        if (!is_dot && !is_alphanumeric(text.data[at]) && text.data[at] != '-')
            return 0;
        if (is_dot && word == 0)
            return 0;
        word = is_dot ? 0 : word + 1;
    }
    return word == 0 ? 0 : at;
}

bool version_is_valid(struct bytes text)
{
    size_t at = 0;
    if (text.size > 64)
        return false;
    for (int part = 0; part < 3; part++) {
        if (part > 0 && (at >= text.size || text.data[at++] != '.'))
            return false;
        at = number_end(text, at);
        if (at == 0)
            return false;
    }
    if (at < text.size && text.data[at] == '-') {
        at = words_end(text, at + 1, '+');
        if (at == 0)
            return false;
    }
    if (at < text.size && text.data[at] == '+')
        return words_end(text, at + 1, '\0') == text.size;
    return at == text.size;
}

/* What stands before `stop` or the end; text begins after it. */
static struct bytes part_take(struct bytes *text, const char *stops)
{
    size_t size = 0;
    while (size < text->size && strchr(stops, text->data[size]) == NULL)
        size++;
    struct bytes part = bytes_of(text->data, size);
    *text = bytes_of(text->data + size, text->size - size);
    return part;
}

static void skip(struct bytes *text, char c)
{
    if (text->size > 0 && text->data[0] == (uint8_t)c)
        *text = bytes_of(text->data + 1, text->size - 1);
}

static bool is_number(struct bytes text)
{
    for (size_t i = 0; i < text.size; i++)
        if (text.data[i] < '0' || text.data[i] > '9')
            return false;
    return true;
}

/* Digits as a number: the longer one is larger, leading zeros aside. */
static int number_compare(struct bytes a, struct bytes b)
{
    while (a.size > 1 && a.data[0] == '0')
        skip(&a, '0');
    while (b.size > 1 && b.data[0] == '0')
        skip(&b, '0');
    if (a.size != b.size)
        return a.size < b.size ? -1 : 1;
    return bytes_compare(a, b);
}

static int identifier_compare(struct bytes a, struct bytes b)
{
    if (is_number(a) && is_number(b))
        return number_compare(a, b);
    if (is_number(a) != is_number(b))
        return is_number(a) ? -1 : 1;
    return bytes_compare(a, b);
}

/* A version with a pre-release comes before the one without. */
static int pre_release_compare(struct bytes a, struct bytes b)
{
    if (a.size == 0 || b.size == 0)
        return (a.size == 0) - (b.size == 0);
    while (a.size > 0 && b.size > 0) {
        int order = identifier_compare(part_take(&a, "."), part_take(&b, "."));
        if (order != 0)
            return order;
        skip(&a, '.');
        skip(&b, '.');
    }
    return (a.size > 0) - (b.size > 0);
}

int version_compare(struct bytes a, struct bytes b)
{
    struct bytes rest_a = a, rest_b = b;
    for (int part = 0; part < 3; part++) {
        int order = number_compare(part_take(&rest_a, ".-+"), part_take(&rest_b, ".-+"));
        if (order != 0)
            return order;
        skip(&rest_a, '.');
        skip(&rest_b, '.');
    }
    skip(&rest_a, '-');
    skip(&rest_b, '-');
    int order = pre_release_compare(part_take(&rest_a, "+"), part_take(&rest_b, "+"));
    return order != 0 ? order : bytes_compare(a, b);
}
