/* Any bytes as a generation_config.json: no crash; what is refused changes nothing; what is
 * accepted has sampling settings in their ranges and end tokens of the vocabulary. */
#include <stdint.h>
#include <stdlib.h>

#include "config/model_files.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
    if (!holds) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static mdf_config config;
    config.text.vocab_size = 40;
    config.text.eos_count = 1;
    config.text.eos_token_id[0] = 9;
    mdf_generation g = {.top_k = -7};
    if (mdf_generation_parse(&g, (const char *)data, size, "fuzz", &config, NULL) != MDF_OK) {
        check(g.top_k == -7 && g.eos_count == 0);
        return 0;
    }
    check(g.temperature >= 0 && g.temperature <= 100 && g.top_p >= 0 && g.top_p <= 1);
    check(g.top_k >= 0 && g.top_k <= 1000000);
    check(g.eos_count >= 1 && g.eos_count <= MDF_CONFIG_EOS);
    for (int i = 0; i < g.eos_count; i++) {
        check(g.eos_token_id[i] >= 0 && g.eos_token_id[i] < config.text.vocab_size);
    }
    return 0;
}
