/* Any bytes as an adapter_config.json beside two adapted matrices: no crash, and what is accepted
 * changes both by finite numbers. Bytes behind the first NUL are a safetensors file in their
 * place. */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "weights/lora.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MODULE "base_model.model.model.layers."

/* Layer 0 with rank 2, layer 1 with rank 1, both [3, 4]. */
static const char header[] = "{\"" MODULE "0.mlp.up_proj.lora_A.weight\":"
                             "{\"dtype\":\"F32\",\"shape\":[2,4],\"data_offsets\":[0,32]},"
                             "\"" MODULE "0.mlp.up_proj.lora_B.weight\":"
                             "{\"dtype\":\"F32\",\"shape\":[3,2],\"data_offsets\":[32,56]},"
                             "\"" MODULE "1.mlp.up_proj.lora_A.default.weight\":"
                             "{\"dtype\":\"F32\",\"shape\":[1,4],\"data_offsets\":[56,72]},"
                             "\"" MODULE "1.mlp.up_proj.lora_B.default.weight\":"
                             "{\"dtype\":\"F32\",\"shape\":[3,1],\"data_offsets\":[72,84]}}";

enum { HEADER = sizeof header - 1, NUMBERS = 21 };

static void check(bool holds)
{
    if (!holds) {
        abort();
    }
}

/* The fixed pairs have come out as they are. */
static void check_fixed(const mdf_lora *lora)
{
    check(lora->count == 2);
    for (int i = 0; i < 2; i++) {
        char name[64];
        float w[12] = {0};
        (void)snprintf(name, sizeof name, "model.language_model.layers.%d.mlp.up_proj.weight", i);
        const mdf_lora_pair *p = mdf_lora_find(lora, name);
        check(p != NULL && p->out == 3 && p->in == 4 && p->r == 2 - i);
        check(mdf_lora_add(p, 0, 5, w));
        check(mdf_lora_add(p, 5, 7, w + 5));
        for (int k = 0; k < 12; k++) {
            check(isfinite(w[k]));
        }
    }
}

/* Whatever pairs there are, all can be found and added. */
static void check_any(const mdf_lora *lora)
{
    check(lora->count > 0);
    for (size_t i = 0; i < lora->count; i++) {
        const mdf_lora_pair *p = &lora->pair[i];
        float w[64] = {0};
        const size_t n = p->in < 1 || p->out < 1 ? 0 : (size_t)p->in * (size_t)p->out;
        check(mdf_lora_find(lora, p->name) == p && p->r > 0);
        (void)!mdf_lora_add(p, 0, n < 64 ? n : 64, w);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t file[8 + HEADER + NUMBERS * sizeof(float)] = {HEADER % 256, HEADER / 256};
    memcpy(file + 8, header, HEADER);
    for (size_t i = 0; i < NUMBERS; i++) {
        const float x = (float)(i % 5) - 2;
        memcpy(file + 8 + HEADER + i * sizeof x, &x, sizeof x);
    }
    mdf_safetensors st;
    mdf_lora lora;
    const uint8_t *end = size == 0 ? NULL : memchr(data, 0, size);
    const size_t settings = end == NULL ? size : (size_t)(end - data);
    const size_t left = end == NULL ? 0 : size - settings - 1;
    if (mdf_safetensors_parse(&st, end == NULL ? file : end + 1, end == NULL ? sizeof file : left,
                              "weights", NULL) != MDF_OK) {
        check(end != NULL);
        return 0;
    }
    if (mdf_lora_parse(&lora, (const char *)data, settings, "fuzz", &st, NULL) != MDF_OK) {
        check(lora.pair == NULL && lora.count == 0);
    } else if (end == NULL) {
        check_fixed(&lora);
    } else {
        check_any(&lora);
    }
    mdf_lora_free(&lora);
    mdf_safetensors_close(&st);
    return 0;
}
