/* Keys and values that a case's later tokens need again: of its text, of its pictures, of the
 * fusion's patches. */
#ifndef MDF_NN_KV_CACHE_H
#define MDF_NN_KV_CACHE_H

#include "config/config.h"
#include "tensor/tensor.h"

/* k and v [kv_heads, capacity, head_dim] in the cache's type, so that a head's keys lie one behind
 * the other; `rows` of capacity are known. */
typedef struct mdf_kv_rows {
    void *k, *v;
    int64_t rows, capacity;
} mdf_kv_rows;

typedef struct mdf_kv_cache {
    mdf_dtype type; /* F16, BF16, F32 or Q8_0 */
    int64_t kv_heads, head_dim;
    int64_t capacity;    /* text tokens */
    int64_t used;        /* text tokens that are in; later ones stand behind them */
    mdf_kv_rows *layer;  /* [layers] self: the text; cross: the pictures */
    mdf_kv_rows *branch; /* [map length] fusion branches: the patches */
    mdf_real *film;      /* [map length, 2D] "unet_to_text": gamma | beta; else NULL */
    bool *film_known;    /* [map length] */
    int64_t film_width;  /* 2D */
    int layers, branches;
} mdf_kv_cache;

/* MDF_ERR_ARG: a type that is none of the above, or heads that are no whole blocks of it. */
mdf_status mdf_kv_type_check(mdf_dtype type, const mdf_config *config,
                             mdf_error *err) MDF_NODISCARD;
mdf_status mdf_kv_cache_new(mdf_kv_cache *c, const mdf_config *config, int64_t capacity,
                            mdf_dtype type, mdf_error *err) MDF_NODISCARD;
void mdf_kv_cache_free(mdf_kv_cache *c);

/* Room for more text tokens; what is known stays. On failure nothing changes that is read. */
mdf_status mdf_kv_cache_grow(mdf_kv_cache *c, const mdf_config *config, int64_t capacity,
                             mdf_error *err) MDF_NODISCARD;

/* Forgets text and patches; pictures too unless they stay. Keeps the memory. */
void mdf_kv_cache_clear(mdf_kv_cache *c, const mdf_config *config, bool pictures_stay);

/* Bytes of all keys and values there is room for. */
size_t mdf_kv_cache_bytes(const mdf_kv_cache *c);

/* Bytes of a head's key, or value, of one token. */
size_t mdf_kv_row_bytes(const mdf_kv_cache *c);

/* Bytes that a cache takes: for so many tokens of text, and for so many image tokens. */
size_t mdf_kv_cache_need(const mdf_config *config, int64_t tokens, int64_t keys, mdf_dtype type);

/* Room for rows that do not grow; what is in r is lost if it must move. False: out of memory. */
bool mdf_kv_rows_reserve(const mdf_kv_cache *c, mdf_kv_rows *r, int64_t rows) MDF_NODISCARD;

/* Rows [n, kv_heads * head_dim] of numbers, or what the cache has of them. */
typedef struct mdf_kv {
    mdf_tensor *k, *v;
} mdf_kv;

/* Puts rows behind the text's `used` ones (which stays as it is: every layer does this once per
 * step) and gives all of them. Too many: MDF_ERR_LIMIT in the graph. */
mdf_kv mdf_kv_append(mdf_graph *g, mdf_kv_cache *c, int layer, mdf_kv fresh);

/* Keeps rows that do not grow, and gives what is kept: rounded to the cache's type. */
mdf_kv mdf_kv_store(mdf_graph *g, const mdf_kv_cache *c, mdf_kv_rows *rows, mdf_kv fresh);
mdf_kv mdf_kv_stored(mdf_graph *g, const mdf_kv_cache *c, const mdf_kv_rows *rows);

/* Keeps gamma | beta [1,2D] of a branch; NULL where none are known. */
void mdf_kv_store_film(mdf_kv_cache *c, int branch, const mdf_tensor *film);
mdf_tensor *mdf_kv_stored_film(mdf_graph *g, const mdf_kv_cache *c, int branch);

#endif
