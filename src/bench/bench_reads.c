/* Plain reads of memory by all threads: what bounds a product with one row. */
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "bench/bench_parts.h"

enum { PIECE = 1 << 20, LINE = 64 };

mdf_status mdf_bench_reads_add(mdf_bench_reads *r, const void *data, size_t bytes, mdf_error *err)
{
    const size_t pieces = bytes / PIECE + 1;
    if (r->count + pieces > r->capacity) {
        const size_t capacity = 2 * (r->count + pieces);
        mdf_bench_piece *grown = mdf_alloc(capacity, sizeof *grown);
        if (grown == NULL) {
            return mdf_fail(err, MDF_ERR_NOMEM, "out of memory for the benchmark");
        }
        if (r->count > 0) {
            memcpy(grown, r->piece, r->count * sizeof *grown);
        }
        mdf_free(r->piece);
        r->piece = grown;
        r->capacity = capacity;
    }
    for (size_t at = 0; at < bytes; at += PIECE) {
        const size_t left = bytes - at;
        r->piece[r->count++] =
            (mdf_bench_piece){(const uint8_t *)data + at, left < PIECE ? left : PIECE};
    }
    r->bytes += bytes;
    return MDF_OK;
}

void mdf_bench_reads_free(mdf_bench_reads *r)
{
    mdf_free(r->piece);
    *r = (mdf_bench_reads){0};
}

/* All but the last bytes that fill no line. */
static uint64_t read_piece(const mdf_bench_piece *p)
{
    uint64_t part[LINE / sizeof(uint64_t)] = {0};
    for (size_t i = 0; i + LINE <= p->bytes; i += LINE) {
        uint64_t line[LINE / sizeof(uint64_t)];
        memcpy(line, p->data + i, LINE);
        for (size_t j = 0; j < LINE / sizeof(uint64_t); j++) {
            part[j] ^= line[j];
        }
    }
    uint64_t sum = 0;
    for (size_t j = 0; j < LINE / sizeof(uint64_t); j++) {
        sum += part[j];
    }
    return sum;
}

double mdf_bench_reads_seconds(const mdf_bench_reads *r)
{
    uint64_t sum = 0;
    const double start = mdf_clock_seconds();
#pragma omp parallel for schedule(dynamic) reduction(+ : sum)
    for (size_t i = 0; i < r->count; i++) {
        sum += read_piece(&r->piece[i]);
    }
    const double seconds = mdf_clock_seconds() - start;
    volatile uint64_t sink = sum; /* or the compiler may leave the reads out */
    (void)sink;
    return seconds;
}
