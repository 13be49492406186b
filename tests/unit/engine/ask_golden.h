/* The golden questions (tests/golden/ask) and the models that they are put to. */
#ifndef MDF_TESTS_ENGINE_ASK_GOLDEN_H
#define MDF_TESTS_ENGINE_ASK_GOLDEN_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "engine/session.h"

#define GOLDEN MDF_TEST_DATA "/golden/ask/"

enum { TOKENS = 12 };

typedef struct model {
    mdf_engine *engine;
    mdf_session *session;
} model;

static inline void open_model(model *m, const char *dir, const char *lora)
{
    mdf_error err = {0};
    /* transformers rounds no keys: of its answers two tokens may be 1e-4 apart */
    const mdf_engine_options opt = {
        .model_dir = dir, .lora = lora, .labels_optional = true, .kv_type = MDF_KV_F32};
    if (mdf_engine_open(&m->engine, &opt, &err) != MDF_OK ||
        mdf_session_new(&m->session, m->engine, &err) != MDF_OK) {
        fail_msg("%s", err.text);
    }
}

static inline void close_model(model *m)
{
    mdf_session_free(m->session);
    mdf_engine_close(m->engine);
}

/* A picture of the golden folder; freed with mdf_free(). */
static inline uint8_t *read_picture(const char *name, size_t *len)
{
    char path[512];
    uint8_t *bytes = NULL;
    (void)snprintf(path, sizeof path, GOLDEN "%s", name);
    assert_int_equal(mdf_file_read(path, 1 << 20, &bytes, len, NULL), MDF_OK);
    return bytes;
}

static inline void expect_reply(const mdf_reply *r, const json_t *row)
{
    const json_t *want = json_object_get(row, "tokens");
    assert_int_equal(r->prompt_count, json_array_size(json_object_get(row, "prompt")));
    assert_int_equal(r->token_count, json_array_size(want));
    for (int i = 0; i < r->token_count; i++) {
        assert_int_equal(r->token[i], json_integer_value(json_array_get(want, (size_t)i)));
    }
    assert_string_equal(r->text, json_string_value(json_object_get(row, "answer")));
}

#endif
