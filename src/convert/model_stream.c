/* A model of any size written to a folder piece by piece. */
#include "convert/model_stream.h"

#include <math.h>

#include "base/alloc.h"
#include "convert/blocks_plain.h"

enum {
    SLICE = 16384,        /* numbers that a thread turns over at once; a multiple of every block */
    SLICES = 256,         /* of a piece */
    COPY_BYTES = 16 << 20 /* of a piece that is copied */
};

typedef struct slice_error {
    double difference, square; /* sums */
    bool bad;
} slice_error;

typedef struct stream {
    const mdf_stream_plan *plan;
    const mdf_stream_source *source;
    const mdf_stream_watch *watch;
    mdf_st_writer writer;
    float *number; /* [SLICES*SLICE] */
    float *back;   /* the same, as stored */
    uint8_t *byte; /* a piece in the file's format; 4 bytes a number suffice for all */
    slice_error slice[SLICES];
    uint64_t done, total;
    bool measured; /* somebody asks for the errors */
} stream;

static mdf_status stopped(const stream *s, mdf_error *err)
{
    if (s->watch->progress != NULL) {
        s->watch->progress(s->watch->user, s->done, s->total);
    }
    if (s->watch->stop != NULL && *s->watch->stop != 0) {
        return mdf_fail(err, MDF_ERR_STOPPED, "stopped; nothing was written");
    }
    return MDF_OK;
}

static mdf_status copy(stream *s, const uint8_t *bytes, size_t total, size_t count, mdf_error *err)
{
    const uint64_t before = s->done;
    for (size_t at = 0; at < total; at += COPY_BYTES) {
        const size_t n = total - at < COPY_BYTES ? total - at : COPY_BYTES;
        MDF_TRY(mdf_st_writer_put(&s->writer, bytes + at, n, err));
        s->done = before + (uint64_t)((double)count * ((double)(at + n) / (double)total));
        MDF_TRY(stopped(s, err));
    }
    return MDF_OK;
}

static bool fits_half(const float *x, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (!(fabsf(x[i]) < 65520.0F)) { /* would round to 2^16 */
            return false;
        }
    }
    return true;
}

/* One slice: numbers, bytes, and how far apart they are. */
static slice_error convert(const stream *s, size_t tensor, const mdf_st_entry *e, size_t at,
                           size_t n, float *x, uint8_t *out, float *back)
{
    slice_error sum = {0};
    if (!s->source->numbers(s->source->user, tensor, at, n, x) ||
        (e->dtype == MDF_DTYPE_F16 && !fits_half(x, n)) ||
        (!(s->plan->plain && mdf_blocks_plain(e->dtype, x, n, out)) &&
         !mdf_dtype_from_floats(e->dtype, x, n, out)) ||
        (s->measured && !mdf_dtype_to_floats(e->dtype, out, n, back))) {
        sum.bad = true;
        return sum;
    }
    for (size_t i = 0; s->measured && i < n; i++) {
        const double d = (double)back[i] - (double)x[i];
        sum.difference += d * d;
        sum.square += (double)x[i] * (double)x[i];
        sum.bad = sum.bad || !isfinite(x[i]);
    }
    return sum;
}

/* Numbers [from, count). */
static mdf_status make(stream *s, size_t tensor, const mdf_st_entry *e, size_t from, size_t count,
                       slice_error *sum, mdf_error *err)
{
    const size_t block = mdf_dtype_block(e->dtype);
    const size_t width = mdf_dtype_bytes(e->dtype);
    for (size_t at = from; at < count; at += (size_t)SLICES * SLICE) {
        const size_t n = count - at < (size_t)SLICES * SLICE ? count - at : (size_t)SLICES * SLICE;
        const int slices = (int)((n + SLICE - 1) / SLICE);
#pragma omp parallel for schedule(dynamic, 4)
        for (int i = 0; i < slices; i++) {
            const size_t first = (size_t)i * SLICE;
            const size_t m = n - first < SLICE ? n - first : SLICE;
            s->slice[i] = convert(s, tensor, e, at + first, m, s->number + first,
                                  s->byte + first / block * width, s->back + first);
        }
        for (int i = 0; i < slices; i++) {
            sum->difference += s->slice[i].difference;
            sum->square += s->slice[i].square;
            if (s->slice[i].bad) {
                return mdf_fail(err, MDF_ERR_NUMERIC,
                                "tensor \"%.120s\" has a number that %s can't hold", e->name,
                                mdf_dtype_name(e->dtype));
            }
        }
        MDF_TRY(mdf_st_writer_put(&s->writer, s->byte, n / block * width, err));
        s->done += n;
        MDF_TRY(stopped(s, err));
    }
    return MDF_OK;
}

static size_t count_of(const mdf_st_entry *e)
{
    size_t n = 1;
    for (int i = 0; i < e->rank; i++) {
        n *= (size_t)e->dim[i];
    }
    return n;
}

static mdf_status run(stream *s, double *error, mdf_error *err)
{
    const mdf_st_entry *e = NULL;
    while ((e = mdf_st_writer_entry(&s->writer)) != NULL) {
        const size_t i = (size_t)(e - s->plan->entry);
        const size_t count = count_of(e);
        slice_error sum = {0};
        size_t there = count;
        const uint8_t *bytes =
            s->source->bytes == NULL ? NULL : s->source->bytes(s->source->user, i, &there);
        if (bytes != NULL) {
            const size_t total = there / mdf_dtype_block(e->dtype) * mdf_dtype_bytes(e->dtype);
            MDF_TRY(copy(s, bytes, total, there, err));
        }
        MDF_TRY(make(s, i, e, bytes == NULL ? 0 : there, count, &sum, err));
        if (s->source->done != NULL) {
            s->source->done(s->source->user, i);
        }
        if (error != NULL) {
            error[i] = sum.square > 0 ? sqrt(sum.difference / sum.square) : 0;
        }
    }
    return MDF_OK;
}

static mdf_status allocate(stream *s, mdf_error *err)
{
    const size_t numbers = (size_t)SLICES * SLICE;
    s->number = mdf_alloc_raw(numbers * sizeof *s->number);
    s->back = mdf_alloc_raw(numbers * sizeof *s->back);
    s->byte = mdf_alloc_raw(numbers * 4);
    return s->number == NULL || s->back == NULL || s->byte == NULL
               ? mdf_fail(err, MDF_ERR_NOMEM, "out of memory for a piece of the model")
               : MDF_OK;
}

mdf_status mdf_stream_model(const mdf_stream_plan *plan, const mdf_stream_source *source,
                            const mdf_stream_watch *watch, double *error, mdf_error *err)
{
    static const mdf_stream_watch nobody;
    stream *s = mdf_alloc(1, sizeof *s);
    if (s == NULL) {
        return mdf_fail(err, MDF_ERR_NOMEM, "out of memory for a piece of the model");
    }
    s->plan = plan;
    s->measured = error != NULL;
    s->source = source;
    s->watch = watch == NULL ? &nobody : watch;
    for (size_t i = 0; i < plan->entries; i++) {
        s->total += count_of(&plan->entry[i]);
    }
    const size_t shard = plan->shard_bytes == 0 ? MDF_ST_SHARD_BYTES : plan->shard_bytes;
    mdf_status status = allocate(s, err);
    if (status == MDF_OK) {
        status = mdf_st_writer_open(&s->writer, plan->folder->dir, plan->entry, plan->entries,
                                    plan->metadata, plan->pairs, shard, err);
    }
    if (status == MDF_OK) {
        status = run(s, error, err);
        if (status == MDF_OK) {
            status = mdf_st_writer_sync(&s->writer, err);
        }
        if (status == MDF_OK) {
            status = mdf_model_folder_name(plan->folder, err);
        }
        if (status == MDF_OK) {
            status = mdf_st_writer_commit(&s->writer, err);
        }
        mdf_st_writer_abort(&s->writer); /* nothing to do after a commit */
    }
    mdf_free(s->number);
    mdf_free(s->back);
    mdf_free(s->byte);
    mdf_free(s);
    return status;
}
