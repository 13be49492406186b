/* A model written tensor after tensor into one or several safetensors files. */
#include "io/safetensors_stream.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "io/safetensors_parts.h"

enum { NAME_BYTES = 64 };

/* One file: entries [begin, end) of the plan. */
typedef struct mdf_st_shard_out {
    mdf_file_writer file; /* open from its first byte to the commit */
    char name[NAME_BYTES];
    size_t begin, end;
} mdf_st_shard_out;

static mdf_status no_memory(const char *dir, mdf_error *err)
{
    return mdf_fail(err, MDF_ERR_NOMEM, "%s: out of memory for the list of tensors", dir);
}

/* Cuts the entries into files of at most shard_bytes, one tensor at least. */
static size_t cut(mdf_st_shard_out *shard, const mdf_st_entry *entry, size_t entries,
                  size_t shard_bytes)
{
    size_t shards = 0;
    size_t bytes = 0;
    for (size_t i = 0; i < entries; i++) {
        const size_t need = mdf_st_entry_bytes(&entry[i]);
        if (i == 0 || bytes + need > shard_bytes) {
            shard[shards++].begin = i;
            bytes = 0;
        }
        shard[shards - 1].end = i + 1;
        bytes += need;
    }
    return shards;
}

static mdf_status plan(mdf_st_writer *w, const mdf_st_entry *entry, size_t shard_bytes,
                       mdf_error *err)
{
    MDF_TRY(mdf_st_order(w->order, entry, w->entries, w->dir, err)); /* of all: names once */
    w->shards = cut(w->shard, entry, w->entries, shard_bytes);
    for (size_t s = 0; s < w->shards; s++) {
        mdf_st_shard_out *f = &w->shard[s];
        MDF_TRY(
            mdf_st_order(w->order + f->begin, entry + f->begin, f->end - f->begin, w->dir, err));
        if (w->shards == 1) {
            (void)snprintf(f->name, sizeof f->name, "model.safetensors");
        } else {
            (void)snprintf(f->name, sizeof f->name, "model-%05zu-of-%05zu.safetensors", s + 1,
                           w->shards);
        }
    }
    for (size_t i = 0; i < w->entries; i++) {
        w->total_bytes += mdf_st_entry_bytes(&entry[i]);
    }
    return MDF_OK;
}

/* Opens a file and writes its header. */
static mdf_status begin_shard(mdf_st_writer *w, mdf_st_shard_out *f, const mdf_st_pair *metadata,
                              size_t pairs, mdf_error *err)
{
    mdf_strbuf header = mdf_strbuf_new(MDF_MAX_HEADER_BYTES);
    char *path = mdf_path_join(w->dir, f->name);
    mdf_st_put_header(&header, w->order + f->begin, f->end - f->begin, metadata, pairs);
    mdf_status status = path == NULL || header.failed ? no_memory(w->dir, err)
                                                      : mdf_file_writer_open(&f->file, path, err);
    if (status == MDF_OK) {
        status = mdf_file_writer_write(&f->file, header.data, header.len, err);
    }
    mdf_free(path);
    mdf_strbuf_free(&header);
    return status;
}

static void skip_empty(mdf_st_writer *w)
{
    while (w->next < w->entries && w->done == mdf_st_entry_bytes(w->order[w->next])) {
        w->next++;
        w->done = 0;
    }
    while (w->current + 1 < w->shards && w->next >= w->shard[w->current].end) {
        w->current++;
    }
}

mdf_status mdf_st_writer_open(mdf_st_writer *w, const char *dir, const mdf_st_entry *entry,
                              size_t entries, const mdf_st_pair *metadata, size_t pairs,
                              size_t shard_bytes, mdf_error *err)
{
    *w = (mdf_st_writer){.entries = entries};
    if (entries == 0 || entries > MDF_MAX_TENSORS) {
        return mdf_fail(err, MDF_ERR_LIMIT, "%s: %zu tensors: at least one and at most %d", dir,
                        entries, MDF_MAX_TENSORS);
    }
    w->dir = mdf_strdup(dir);
    w->shard = mdf_alloc(entries, sizeof *w->shard);
    w->order = mdf_alloc(entries, sizeof *w->order);
    mdf_status status = w->dir == NULL || w->shard == NULL || w->order == NULL
                            ? no_memory(dir, err)
                            : plan(w, entry, shard_bytes, err);
    for (size_t s = 0; status == MDF_OK && s < w->shards; s++) {
        status = begin_shard(w, &w->shard[s], metadata, pairs, err);
    }
    if (status != MDF_OK) {
        mdf_st_writer_abort(w);
        return status;
    }
    skip_empty(w);
    return MDF_OK;
}

const mdf_st_entry *mdf_st_writer_entry(const mdf_st_writer *w)
{
    return w->next < w->entries ? w->order[w->next] : NULL;
}

mdf_status mdf_st_writer_put(mdf_st_writer *w, const void *bytes, size_t n, mdf_error *err)
{
    assert(w->next < w->entries && n <= mdf_st_entry_bytes(w->order[w->next]) - w->done);
    MDF_TRY(mdf_file_writer_write(&w->shard[w->current].file, bytes, n, err));
    w->done += n;
    skip_empty(w);
    return MDF_OK;
}

static mdf_status write_index(mdf_st_writer *w, mdf_error *err)
{
    mdf_strbuf text = mdf_strbuf_new(MDF_MAX_HEADER_BYTES);
    char *path = mdf_path_join(w->dir, "model.safetensors.index.json");
    mdf_strbuf_printf(&text, "{\n  \"metadata\": {\"total_size\": %zu},\n  \"weight_map\": {",
                      w->total_bytes);
    for (size_t s = 0; s < w->shards; s++) {
        for (size_t i = w->shard[s].begin; i < w->shard[s].end; i++) {
            mdf_strbuf_puts(&text, i == 0 ? "\n    " : ",\n    ");
            mdf_st_put_string(&text, w->order[i]->name);
            mdf_strbuf_printf(&text, ": \"%s\"", w->shard[s].name);
        }
    }
    mdf_strbuf_puts(&text, "\n  }\n}\n");
    mdf_status status = path == NULL || text.failed ? no_memory(w->dir, err)
                                                    : mdf_file_writer_open(&w->index, path, err);
    if (status == MDF_OK) {
        status = mdf_file_writer_write(&w->index, text.data, text.len, err);
    }
    mdf_free(path);
    mdf_strbuf_free(&text);
    MDF_TRY(status);
    return mdf_file_writer_sync(&w->index, err);
}

/* Takes files away that have their names already. */
static void undo(const mdf_st_writer *w, size_t shards)
{
    for (size_t s = 0; s < shards; s++) {
        char *path = mdf_path_join(w->dir, w->shard[s].name);
        if (path != NULL) {
            (void)unlink(path);
        }
        mdf_free(path);
    }
}

mdf_status mdf_st_writer_sync(mdf_st_writer *w, mdf_error *err)
{
    assert(w->next == w->entries);
    for (size_t s = 0; s < w->shards; s++) {
        MDF_TRY(mdf_file_writer_sync(&w->shard[s].file, err));
    }
    return w->shards > 1 && w->index.stream == NULL ? write_index(w, err) : MDF_OK;
}

mdf_status mdf_st_writer_commit(mdf_st_writer *w, mdf_error *err)
{
    mdf_status status = mdf_st_writer_sync(w, err);
    size_t named = 0;
    for (; status == MDF_OK && named < w->shards; named++) {
        status = mdf_file_writer_commit(&w->shard[named].file, err);
    }
    if (status == MDF_OK && w->shards > 1) {
        status = mdf_file_writer_commit(&w->index, err);
    }
    if (status != MDF_OK) {
        undo(w, named);
    }
    mdf_st_writer_abort(w);
    return status;
}

void mdf_st_writer_abort(mdf_st_writer *w)
{
    for (size_t s = 0; w->shard != NULL && s < w->shards; s++) {
        mdf_file_writer_abort(&w->shard[s].file);
    }
    mdf_file_writer_abort(&w->index);
    mdf_free(w->dir);
    mdf_free(w->shard);
    mdf_free(w->order);
    *w = (mdf_st_writer){0};
}
