/* Any bytes as a configuration: no crash; what is refused changes nothing; what is accepted is
 * written as JSON that reads back to the same struct. The first line, up to a line break, is also
 * tried as a key=value setting of a valid configuration. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "config/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_round_trip(const mdf_config *c)
{
    mdf_config *again = mdf_alloc(1, sizeof *again);
    mdf_strbuf out = mdf_strbuf_new(MDF_MAX_CONFIG_BYTES);
    if (again == NULL || mdf_config_write(c, &out, NULL) != MDF_OK ||
        mdf_config_parse(again, out.data, out.len, "again", NULL) != MDF_OK ||
        memcmp(c, again, sizeof *c) != 0) {
        abort();
    }
    mdf_strbuf_free(&out);
    mdf_free(again);
}

static const char valid[] =
    "{\"image_token_index\":264,\"text_config\":{\"vocab_size\":264,\"hidden_size\":8,"
    "\"num_hidden_layers\":4,\"num_attention_heads\":2,\"num_key_value_heads\":1,"
    "\"intermediate_size\":8,\"cross_attention_layers\":[1,3]},\"vision_config\":{"
    "\"hidden_size\":8,\"num_hidden_layers\":2,\"num_global_layers\":1,\"attention_heads\":2,"
    "\"intermediate_size\":8,\"image_size\":28,\"patch_size\":14,"
    "\"intermediate_layers_indices\":[0]},\"unet_config\":{\"base\":4,\"image_size\":64}}";

static void check_setting(mdf_config *c, const uint8_t *data, size_t size)
{
    const uint8_t *end = memchr(data, '\n', size);
    char *line = mdf_strndup((const char *)data, end == NULL ? size : (size_t)(end - data));
    mdf_config *before = mdf_alloc(1, sizeof *before);
    if (line == NULL || before == NULL ||
        mdf_config_parse(c, valid, sizeof valid - 1, "valid", NULL) != MDF_OK) {
        abort();
    }
    *before = *c;
    if (mdf_config_set(c, line, NULL) != MDF_OK) {
        if (memcmp(c, before, sizeof *c) != 0) {
            abort();
        }
    } else if (mdf_config_validate(c, NULL) == MDF_OK) {
        check_round_trip(c);
    }
    mdf_free(before);
    mdf_free(line);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    mdf_config *c = mdf_alloc(1, sizeof *c);
    if (c == NULL) {
        abort();
    }
    c->image_token_index = -7; /* no file can say this */
    if (mdf_config_parse(c, (const char *)data, size, "fuzz", NULL) == MDF_OK) {
        check_round_trip(c);
    } else if (c->image_token_index != -7) {
        abort();
    }
    if (size > 0) {
        check_setting(c, data, size);
    }
    mdf_free(c);
    return 0;
}
