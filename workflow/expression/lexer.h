/* Lexer: one token at a time out of the text of an expression.
 *
 * Strings are not tokens: their parts are read by lexer_string_part once TOKEN_QUOTE was seen,
 * because they hold expressions.
 */
#ifndef PAWL_WORKFLOW_EXPRESSION_LEXER_H
#define PAWL_WORKFLOW_EXPRESSION_LEXER_H

#include "proto/arena.h"
#include "proto/bytes.h"
#include "proto/error.h"

enum token_kind {
    TOKEN_END,
    TOKEN_NAME,   /* identifier or keyword; text */
    TOKEN_FIELD,  /* .name; text without the point */
    TOKEN_DOLLAR, /* $name; text without the sign */
    TOKEN_FORMAT, /* @name; text without the sign */
    TOKEN_NUMBER, /* text */
    TOKEN_QUOTE,  /* a string begins */
    TOKEN_SYMBOL, /* an operator or a bracket; text */
    TOKEN_WRONG,  /* no token begins here */
};

struct token {
    enum token_kind kind;
    struct bytes text;
    uint32_t offset;
};

struct lexer {
    struct bytes text;
    uint32_t at;
};

struct token lexer_next(struct lexer *lexer);

enum string_part { STRING_ENDS, STRING_INTERPOLATES };

/* The text up to the closing quote or up to the next "\(", decoded into the arena; the lexer stands
 * behind it. PAWL_E_INVALID: no end, a bad escape, not UTF-8. PAWL_E_LIMIT: no memory. */
MUST_USE enum pawl_error lexer_string_part(struct lexer *lexer, struct arena *arena,
                                           struct bytes *text_out, enum string_part *end_out);

/* Line and column (in bytes) of an offset, from 1. */
void lexer_place(struct bytes text, uint32_t offset, int *line_out, int *column_out);

#endif
