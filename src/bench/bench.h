/* How fast and how large: what this machine can do, the operations at the model's real shapes, and
 * whole training steps (mdf bench). */
#ifndef MDF_BENCH_BENCH_H
#define MDF_BENCH_BENCH_H

#include <signal.h>

#include "config/config.h"
#include "mdf.h"

typedef enum mdf_bench_part {
    MDF_BENCH_UNET = 1,       /* training step of a U-Net alone */
    MDF_BENCH_STEP = 2,       /* training step and forward pass of the configuration, and with them
                                 MDF_BENCH_OPTIMIZER */
    MDF_BENCH_GEMM = 4,       /* dense products */
    MDF_BENCH_CONV = 8,       /* convolutions, in turns with oneDNN's own */
    MDF_BENCH_ATTENTION = 16, /* attention, forward and backward */
    MDF_BENCH_DEPTHWISE = 32, /* depthwise convolutions at the shapes of EfficientNet-lite0 */
    MDF_BENCH_OPTIMIZER = 64, /* an update of a large matrix by every optimiser */
    MDF_BENCH_STAGES = 128    /* stages of reading a picture and a text by model_dir */
} mdf_bench_part;
enum { MDF_BENCH_ALL = 255, MDF_BENCH_ROWS = 256 };

/* A zeroed U-Net size takes the value of the race with PyTorch. */
typedef struct mdf_bench_options {
    const mdf_config *config;  /* no labels: the six of ODIR */
    const char *model_dir;     /* of MDF_BENCH_STAGES; NULL leaves them out */
    int prompt, tokens, tiles; /* of MDF_BENCH_STAGES: tokens of the prompt, tokens one by one
                                  behind it, tiles of the picture; below 1: 120, none, 1 */
    mdf_kv_type kv_type;       /* of MDF_BENCH_STAGES: of keys and values */
    const char *logits_file;   /* takes the logits behind the prompt as 32-bit floats; or NULL */
    unsigned parts;            /* of mdf_bench_part */
    int repeat;                /* timed runs */
    bool masks;                /* the configuration's step trains the decoder too */
    int64_t unet_base, unet_size, unet_batch;       /* 32, 256, 8 */
    const char *max_isa;                            /* NULL = the best this CPU has */
    void (*progress)(void *user, const char *what); /* may be NULL */
    void *user;
    const volatile sig_atomic_t *stop; /* may be NULL */
} mdf_bench_options;

/* One operation. FLOP/s count the operations of the definition, so that an algorithm that needs
 * fewer can exceed the machine's peak. */
typedef struct mdf_bench_row {
    char what[32];
    char shape[80];
    double seconds; /* median; of depthwise convolutions the shortest */
    double gflops;
    double share;          /* of the measured peak of all threads, or of memory's, see gbytes */
    double tokens;         /* read in that time; 0: none */
    double gbytes;         /* one row times a weight: GB/s of the weight; share is that of a plain
                              read of the same bytes by as many threads. Depthwise convolutions
                              and optimisers: GB/s of what must be read and written once; share is
                              that of memory[1]. Else 0 */
    double onednn_seconds; /* convolutions: the same by oneDNN; else 0 */
} mdf_bench_row;

typedef struct mdf_bench_step {
    int64_t parameters, batch;
    int64_t tokens;                    /* text rows of the batch, label tree included */
    double seconds, best, cpu_seconds; /* median; shortest; processor time of all threads, mean */
    size_t allocations;                /* of all timed steps together */
    size_t peak_bytes;                 /* resident memory of the process, at most */
    double forward_seconds;            /* one case without training, median; 0 = not measured */
    double loss;
} mdf_bench_step;

typedef struct mdf_bench_report {
    char isa[16];
    int threads;
    double peak[2];             /* GFLOP/s of fused multiply-adds in registers: one thread, all */
    double memory[2];           /* GB/s of y = a x + y beyond the caches */
    mdf_bench_step unet, model; /* batch 0: not measured */
    double open_seconds;        /* of model_dir; its stages are rows */
    size_t model_bytes;         /* of the files that stay mapped; 0: it became floats */
    size_t model_peak_bytes;    /* resident memory of the process, at most, mapped files included */
    size_t cache_bytes;         /* of keys and values of prompt, answer and picture */
    mdf_bench_row row[MDF_BENCH_ROWS];
    size_t rows;
} mdf_bench_report;

/* Fills *r (about 40 kB). MDF_ERR_STOPPED when *stop was set. */
mdf_status mdf_bench_run(mdf_bench_report *r, const mdf_bench_options *opt,
                         mdf_error *err) MDF_NODISCARD;

#endif
