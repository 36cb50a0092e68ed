#include "tests/transcripts/transcript.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PATH_BYTES_MAX = 512 };

/* NULL: not readable. */
static char *read_file(const char *path)
{
    FILE *file = fopen(path, "r");
    char *text = NULL;
    size_t capacity = 0;
    if (file == NULL)
        return NULL;
    ssize_t length = getdelim(&text, &capacity, '\0', file);
    (void)fclose(file);
    if (length >= 0)
        return text;
    free(text);
    return NULL;
}

static void print_difference(const char *path, const char *before, const char *after)
{
    unsigned line = 1;
    while (*before != '\0' && *after != '\0') {
        size_t before_length = strcspn(before, "\n");
        size_t after_length = strcspn(after, "\n");
        if (before_length != after_length || strncmp(before, after, before_length) != 0)
            break;
        before += before_length + (before[before_length] == '\n');
        after += after_length + (after[after_length] == '\n');
        line++;
    }
    printf("%s:%u differs\n  written: %.*s\n  now:     %.*s\n", path, line,
           (int)strcspn(before, "\n"), before, (int)strcspn(after, "\n"), after);
}

static bool write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    if (file == NULL)
        return false;
    bool is_written = fputs(text, file) >= 0;
    return fclose(file) == 0 && is_written;
}

static bool check_script(const char *path, transcript_play play, bool is_rewriting)
{
    char *script = read_file(path);
    char *shown = NULL;
    size_t shown_bytes = 0;
    FILE *out = open_memstream(&shown, &shown_bytes);
    bool is_right = false;
    if (script != NULL && out != NULL) {
        is_right = play(script, out);
        (void)fclose(out);
        if (is_rewriting)
            is_right = write_file(path, shown) && is_right;
        else if (strcmp(script, shown) != 0) {
            is_right = false;
            print_difference(path, script, shown);
        }
    }
    free(script);
    free(shown);
    printf("%s %s\n", is_right ? "ok  " : "FAIL", path);
    return is_right;
}

static int is_script(const struct dirent *entry)
{
    size_t length = strlen(entry->d_name);
    return length > 4 && strcmp(entry->d_name + length - 4, ".txt") == 0;
}

int transcripts_main(int argc, char **argv, transcript_play play)
{
    struct dirent **entries = NULL;
    bool is_rewriting =
        (argc == 3 && strcmp(argv[2], "--rewrite") == 0) || getenv("PAWL_REWRITE") != NULL;
    int count = argc > 1 ? scandir(argv[1], &entries, is_script, alphasort) : -1;
    int failures = 0;
    for (int i = 0; i < count; i++) {
        char path[PATH_BYTES_MAX];
        (void)snprintf(path, sizeof path, "%s/%s", argv[1], entries[i]->d_name);
        failures += !check_script(path, play, is_rewriting);
        free(entries[i]);
    }
    free(entries);
    if (count <= 0)
        fprintf(stderr, "usage: %s FOLDER [--rewrite], with scripts in it\n", argv[0]);
    return count > 0 && failures == 0 ? 0 : 1;
}
