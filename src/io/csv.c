/* CSV tables as in RFC 4180.
 *
 * Two passes over the same state machine: the first counts and reports every error, the second
 * knows the exact sizes and can't fail. A cell is never longer than its source, and the separator
 * after it pays for the NUL, so one text block of len + 1 bytes holds all cells. */
#include "io/csv.h"

#include <string.h>
#include <strings.h>

#include "base/limits.h"
#include "io/text.h"

typedef struct scanner {
    const uint8_t *data;
    size_t len;
    size_t at;
    size_t line;
    const char *name;
    char separator; /* of fields */
    char *text;     /* NULL in the counting pass */
    size_t text_len;
    uint8_t before;   /* the last byte of the field so far */
    bool has_content; /* something that is no blank stood in the record */
    size_t blank_rows;
} scanner;

typedef enum field_end { END_FIELD, END_RECORD } field_end;

static void put(scanner *s, uint8_t c)
{
    if (s->text != NULL) {
        s->text[s->text_len] = (char)c;
    }
    s->text_len++;
}

/* Blanks are space, tab, line ends, and the no-break space of spreadsheets, C2 A0 in UTF-8. */
static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static void emit(scanner *s, uint8_t c)
{
    const bool half = s->before == 0xC2;
    if (half ? c != 0xA0 : c != 0xC2 && !is_blank(c)) {
        s->has_content = true;
    }
    s->before = half ? 0 : c;
    put(s, c);
}

static mdf_status fail_line(const scanner *s, mdf_error *err, size_t line, const char *what)
{
    return mdf_fail_at(err, MDF_ERR_FORMAT, s->at, "%s line %zu: %s", s->name, line, what);
}

static bool at_line_end(const scanner *s)
{
    return s->at < s->len && (s->data[s->at] == '\n' || s->data[s->at] == '\r');
}

static bool at_separator(const scanner *s)
{
    return s->at < s->len && s->data[s->at] == (uint8_t)s->separator;
}

/* Consumes LF, CRLF or a lone CR. */
static void skip_line_end(scanner *s)
{
    s->at += s->data[s->at] == '\r' && s->at + 1 < s->len && s->data[s->at + 1] == '\n' ? 2 : 1;
    s->line++;
}

static mdf_status quoted(scanner *s, mdf_error *err)
{
    const size_t first_line = s->line;
    s->at++;
    for (;;) {
        if (s->at >= s->len) {
            return fail_line(s, err, first_line, "a quoted field is not closed");
        }
        const uint8_t c = s->data[s->at++];
        if (c == '"') {
            if (s->at >= s->len || s->data[s->at] != '"') {
                break;
            }
            s->at++;
        }
        s->line += c == '\n' ? 1 : 0;
        emit(s, c);
    }
    if (s->at < s->len && !at_separator(s) && !at_line_end(s)) {
        return fail_line(s, err, s->line, "text follows the closing quote of a field");
    }
    return MDF_OK;
}

static mdf_status unquoted(scanner *s, mdf_error *err)
{
    while (s->at < s->len && !at_separator(s) && !at_line_end(s)) {
        const uint8_t c = s->data[s->at];
        if (c == '"') {
            return fail_line(s, err, s->line, "a quote stands inside an unquoted field");
        }
        emit(s, c);
        s->at++;
    }
    return MDF_OK;
}

static mdf_status field(scanner *s, field_end *end, mdf_error *err)
{
    const bool is_quoted = s->at < s->len && s->data[s->at] == '"';
    MDF_TRY(is_quoted ? quoted(s, err) : unquoted(s, err));
    put(s, '\0');
    s->before = 0;
    *end = END_RECORD;
    if (s->at < s->len) {
        if (at_separator(s)) {
            s->at++;
            *end = END_FIELD;
        } else {
            skip_line_end(s);
        }
    }
    return MDF_OK;
}

static void skip_empty_lines(scanner *s)
{
    while (at_line_end(s)) {
        skip_line_end(s);
    }
}

/* Skips empty lines and counts records all of whose cells are blank, however many those are: what
 * spreadsheets write below a table. */
static void skip_blank_records(scanner *s)
{
    skip_empty_lines(s);
    while (s->at < s->len) {
        const uint8_t c = s->data[s->at];
        if (!is_blank(c) && c != 0xC2 && c != '"' && !at_separator(s)) {
            return; /* most records, told by one byte */
        }
        scanner ahead = *s;
        field_end end = END_FIELD;
        ahead.text = NULL;
        ahead.has_content = false;
        while (end == END_FIELD && !ahead.has_content) {
            if (field(&ahead, &end, NULL) != MDF_OK) {
                return; /* the pass itself reports it */
            }
        }
        if (ahead.has_content) {
            return;
        }
        s->at = ahead.at;
        s->line = ahead.line;
        s->blank_rows++;
        skip_empty_lines(s);
    }
}

/* "sep=;" on a line of its own, by which Excel is told the separator, or 0. */
static char told_separator(const scanner *s)
{
    const uint8_t *p = s->data + s->at;
    const size_t left = s->len - s->at;
    const bool is_line = left == 5 || (left > 5 && (p[5] == '\n' || p[5] == '\r'));
    if (!is_line || strncasecmp((const char *)p, "sep=", 4) != 0) {
        return '\0';
    }
    return strchr(",;\t|", (char)p[4]) != NULL ? (char)p[4] : '\0';
}

/* The comma if the header has one outside of quotes, else semicolon or tab. */
static char seen_separator(const scanner *s)
{
    bool is_quoted = false;
    char found = '\0';
    for (size_t i = s->at; i < s->len; i++) {
        const char c = (char)s->data[i];
        is_quoted = is_quoted != (c == '"');
        if (!is_quoted && (c == '\n' || c == '\r' || c == ',')) {
            found = c == ',' ? c : found;
            break;
        }
        if (!is_quoted && (c == ';' || (c == '\t' && found == '\0'))) {
            found = c;
        }
    }
    return found == '\0' ? ',' : found;
}

static void rewind_to_start(scanner *s)
{
    s->at = mdf_text_mark(s->data, s->len);
    s->line = 1;
    s->text_len = 0;
    s->blank_rows = 0;
    skip_empty_lines(s);
    const char told = told_separator(s);
    if (told != '\0') {
        s->at += 5;
        skip_empty_lines(s);
    }
    s->separator = told != '\0' ? told : seen_separator(s);
    skip_blank_records(s);
    s->blank_rows = 0; /* above the header they are no rows */
}

static mdf_status count_fields(scanner *s, size_t *columns, size_t *rows, mdf_error *err)
{
    size_t records = 0;
    while (s->at < s->len) {
        const size_t line = s->line;
        size_t fields = 0;
        field_end end = END_FIELD;
        while (end == END_FIELD) {
            MDF_TRY(field(s, &end, err));
            fields++;
        }
        if (records == 0) {
            *columns = fields;
            if (fields > MDF_CSV_MAX_COLUMNS) {
                return mdf_fail(err, MDF_ERR_LIMIT, "%s: %zu columns, more than the limit of %d",
                                s->name, fields, MDF_CSV_MAX_COLUMNS);
            }
        } else if (fields != *columns) {
            return mdf_fail_at(err, MDF_ERR_FORMAT, s->at,
                               "%s line %zu: %zu fields, but the header has %zu", s->name, line,
                               fields, *columns);
        }
        if (++records > (size_t)MDF_MAX_CASES + 1) {
            return mdf_fail(err, MDF_ERR_LIMIT, "%s: more than the limit of %d rows", s->name,
                            MDF_MAX_CASES);
        }
        skip_blank_records(s);
    }
    if (records == 0) {
        return mdf_fail(err, MDF_ERR_FORMAT, "%s: the table is empty, not even a header", s->name);
    }
    *rows = records - 1;
    return MDF_OK;
}

static void read_record(scanner *s, const char **cells)
{
    field_end end = END_FIELD;
    while (end == END_FIELD) {
        *cells++ = s->text + s->text_len;
        (void)field(s, &end, NULL);
    }
    skip_blank_records(s);
}

mdf_status mdf_csv_parse(mdf_csv *out, const char *name, const uint8_t *data, size_t len,
                         mdf_error *err)
{
    *out = (mdf_csv){0};
    if (len > MDF_MAX_TABLE_BYTES) {
        return mdf_fail(err, MDF_ERR_LIMIT, "%s: %zu bytes, more than the limit of %zu", name, len,
                        MDF_MAX_TABLE_BYTES);
    }
    scanner s = {.data = data, .len = len, .name = name};
    MDF_TRY(mdf_text_check(name, data, len, err));
    rewind_to_start(&s);
    mdf_csv t = {0};
    MDF_TRY(count_fields(&s, &t.column_count, &t.row_count, err));
    MDF_TRY(mdf_arena_init(&t.arena, 0, 0, err));
    s.text = mdf_arena_alloc(&t.arena, len + 1, 1);
    t.header = mdf_arena_alloc(&t.arena, t.column_count, sizeof *t.header);
    t.cell = mdf_arena_alloc(&t.arena, t.row_count * t.column_count, sizeof *t.cell);
    t.line = mdf_arena_alloc(&t.arena, t.row_count, sizeof *t.line);
    if (s.text == NULL || t.header == NULL || t.cell == NULL || t.line == NULL) {
        mdf_csv_free(&t);
        return mdf_fail(err, MDF_ERR_NOMEM, "%s: out of memory for %zu rows", name, t.row_count);
    }
    rewind_to_start(&s);
    read_record(&s, t.header);
    for (size_t r = 0; r < t.row_count; r++) {
        t.line[r] = s.line;
        read_record(&s, t.cell + r * t.column_count);
    }
    t.blank_rows = s.blank_rows;
    *out = t;
    return MDF_OK;
}

void mdf_csv_free(mdf_csv *t)
{
    mdf_arena_free(&t->arena);
    *t = (mdf_csv){0};
}

int mdf_csv_column(const mdf_csv *t, const char *name)
{
    for (size_t c = 0; c < t->column_count; c++) {
        if (strcmp(t->header[c], name) == 0) {
            return (int)c;
        }
    }
    return -1;
}

const char *mdf_csv_cell(const mdf_csv *t, size_t row, size_t column)
{
    return t->cell[row * t->column_count + column];
}

void mdf_csv_write_row(FILE *stream, const char *const *cells, size_t count)
{
    for (size_t c = 0; c < count; c++) {
        const char *cell = cells[c];
        if (c != 0) {
            (void)fputc(',', stream);
        }
        /* What would read back as an empty line, as another separator's header or as its line. */
        const bool lone = count == 1 && (cell[0] == '\0' || strpbrk(cell, ";\t") != NULL);
        const bool is_told = c == 0 && strncasecmp(cell, "sep=", 4) == 0;
        if (!lone && !is_told && strpbrk(cell, ",\"\r\n") == NULL) {
            (void)fputs(cell, stream);
            continue;
        }
        (void)fputc('"', stream);
        for (const char *p = cell; *p != '\0'; p++) {
            if (*p == '"') {
                (void)fputc('"', stream);
            }
            (void)fputc(*p, stream);
        }
        (void)fputc('"', stream);
    }
    (void)fputc('\n', stream);
}
