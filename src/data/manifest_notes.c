/* What was read otherwise than it stands there, or not at all, as sentences of a manifest. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/strbuf.h"
#include "base/utf8.h"
#include "data/manifest_build.h"

enum { NOTE_BYTES = 600 };

/* Notes go to terminals and into JSON, and name what comes from outside. */
static void make_clean(char *text)
{
    for (char *p = text; *p != '\0'; p++) {
        *p = ((unsigned char)*p < 0x20 || *p == 0x7F) ? '?' : *p;
    }
    const size_t len = strlen(text);
    for (size_t at = 0; at < len; at++) {
        at += mdf_utf8_check((const uint8_t *)text + at, len - at);
        if (at < len) {
            text[at] = '?';
        }
    }
}

mdf_status mdf_manifest_note(mdf_manifest_builder *b, mdf_note_level level, mdf_error *err,
                             const char *fmt, ...)
{
    mdf_manifest *m = b->m;
    char text[NOTE_BYTES];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    make_clean(text);
    mdf_manifest_note_text *grown =
        mdf_grow(m->notes, m->note_count, m->note_count + 1, sizeof *m->notes);
    if (grown == NULL) {
        return mdf_fail(err, MDF_ERR_NOMEM, "out of memory for a note on the data");
    }
    m->notes = grown;
    m->notes[m->note_count].level = level;
    m->notes[m->note_count].text = mdf_manifest_string(b, text);
    if (m->notes[m->note_count].text == NULL) {
        return mdf_fail(err, MDF_ERR_NOMEM, "out of memory for a note on the data");
    }
    m->note_count++;
    return MDF_OK;
}

mdf_status mdf_manifest_note_words(mdf_manifest_builder *b, const char *dir, mdf_error *err)
{
    for (int k = 0; k < MDF_COLUMN_COUNT; k++) {
        for (int w = 0; w < MDF_CELL_MISSING_WORDS; w++) {
            const size_t n = b->missing_words[k][w];
            if (n != 0) {
                MDF_TRY(mdf_manifest_note(b, MDF_NOTE_ALWAYS, err,
                                          "%s: %zu %s of %s %s '%s': read as missing", dir, n,
                                          n == 1 ? "cell" : "cells", mdf_column_names[k],
                                          n == 1 ? "says" : "say", b->missing_first[k][w]));
            }
        }
    }
    if (b->recased_count != 0) {
        const size_t n = b->recased_count;
        return mdf_manifest_note(
            b, MDF_NOTE_ALWAYS, err, "%s: the split '%s' of %zu %s is read as '%s'", dir,
            b->recased_first, n, n == 1 ? "case" : "cases", mdf_cell_split(b->recased_first));
    }
    return MDF_OK;
}

/* ".bmp (2), .txt (1)"; returns how many files those are. */
static size_t list_endings(mdf_strbuf *out, const mdf_manifest_builder *b, bool is_picture)
{
    size_t sum = 0;
    for (size_t i = 0; i < MDF_MANIFEST_ENDINGS; i++) {
        if (b->endings[i].count != 0 && b->endings[i].is_picture == is_picture) {
            mdf_strbuf_printf(out, "%s%s (%zu)", sum == 0 ? "" : ", ", b->endings[i].ending,
                              b->endings[i].count);
            sum += b->endings[i].count;
        }
    }
    return sum;
}

void mdf_manifest_list_unread(mdf_strbuf *out, const mdf_manifest_builder *b, size_t *count)
{
    *count = list_endings(out, b, true);
}

mdf_status mdf_manifest_note_endings(mdf_manifest_builder *b, const char *dir, mdf_error *err)
{
    for (int pictures = 1; pictures >= 0; pictures--) {
        mdf_strbuf list = mdf_strbuf_new(NOTE_BYTES);
        const size_t n = list_endings(&list, b, pictures != 0);
        mdf_status status = MDF_OK;
        if (n != 0 && pictures != 0) {
            status = mdf_manifest_note(
                b, MDF_NOTE_ALWAYS, err, "%s: %zu %s no picture that mdf reads: %s", dir, n,
                n == 1 ? "file is" : "files are", list.data == NULL ? "" : list.data);
        } else if (n != 0) {
            status = mdf_manifest_note(b, MDF_NOTE_CHECK, err, "%s: %zu other %s passed over: %s",
                                       dir, n, n == 1 ? "file is" : "files are",
                                       list.data == NULL ? "" : list.data);
        }
        mdf_strbuf_free(&list);
        MDF_TRY(status);
    }
    return MDF_OK;
}

void mdf_manifest_count_ending(mdf_manifest_builder *b, const char *ending, bool is_picture)
{
    size_t i = 0;
    const size_t last = MDF_MANIFEST_ENDINGS - 2 + (is_picture ? 0 : 1); /* for all others */
    while (i < b->ending_count &&
           (strcmp(b->endings[i].ending, ending) != 0 || b->endings[i].is_picture != is_picture)) {
        i++;
    }
    const bool is_full = i >= MDF_MANIFEST_ENDINGS - 2;
    mdf_manifest_ending *e = &b->endings[is_full ? last : i];
    if (e->count == 0) {
        (void)snprintf(e->ending, sizeof e->ending, "%s", is_full ? "others" : ending);
        e->is_picture = is_picture;
    }
    e->count++;
    b->ending_count += !is_full && i == b->ending_count ? 1 : 0;
}
