/* Keys and values that a case's later tokens need again: of its text, of its pictures, of the
 * fusion's patches. */
#ifndef MDF_NN_KV_CACHE_H
#define MDF_NN_KV_CACHE_H

#include "config/config.h"
#include "tensor/tensor.h"

/* Rows [rows, Dkv] of k and v; rows 0: not known yet. */
typedef struct mdf_kv_rows {
    mdf_real *k, *v;
    int64_t rows, capacity;
} mdf_kv_rows;

typedef struct mdf_kv_cache {
    int64_t width;       /* Dkv */
    int64_t capacity;    /* text tokens */
    int64_t used;        /* text tokens that are in; later ones stand behind them */
    mdf_kv_rows *layer;  /* [layers] self: the text; cross: the pictures */
    mdf_kv_rows *branch; /* [map length] fusion branches: the patches */
    mdf_kv_rows *film;   /* [map length] "unet_to_text": k holds gamma | beta */
    int layers, branches;
} mdf_kv_cache;

mdf_status mdf_kv_cache_new(mdf_kv_cache *c, const mdf_config *config, int64_t capacity,
                            mdf_error *err) MDF_NODISCARD;
void mdf_kv_cache_free(mdf_kv_cache *c);

/* Forgets text and patches; pictures too unless they stay. Keeps the memory. */
void mdf_kv_cache_clear(mdf_kv_cache *c, const mdf_config *config, bool pictures_stay);

typedef struct mdf_kv {
    mdf_tensor *k, *v;
} mdf_kv;

/* Puts rows behind the text's `used` ones (which stays as it is: every layer does this once per
 * step) and gives all of them. Too many: MDF_ERR_LIMIT in the graph. */
mdf_kv mdf_kv_append(mdf_graph *g, mdf_kv_cache *c, int layer, mdf_kv fresh);

/* Keeps a copy of rows that do not grow, and gives what is kept. */
void mdf_kv_store(mdf_graph *g, mdf_kv_rows *rows, mdf_kv fresh);
mdf_kv mdf_kv_stored(mdf_graph *g, const mdf_kv_rows *rows, int64_t width);

#endif
