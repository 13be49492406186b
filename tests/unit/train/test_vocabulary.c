/* The tokenizer of a configuration: the file beside it, and what must fit together. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "train/vocabulary.h"

#define GOLDEN MDF_TEST_DATA "/golden/"

enum { BEGIN = 668, IMAGE = 679 }; /* of tests/golden/tokenizer/llama3.json */

static mdf_config config;

static int read_config(void **state)
{
    (void)state;
    if (mdf_config_load(&config, GOLDEN "model/config.json", NULL) != MDF_OK) {
        return -1;
    }
    config.tokenizer = MDF_TOKENIZER_BPE;
    config.image_token_index = config.text.vocab_size = IMAGE;
    config.text.bos_token_id = BEGIN;
    return 0;
}

static void expect_refused(const mdf_config *c, const char *dir, const char *want)
{
    mdf_tokenizer *t = NULL;
    mdf_error err = {0};
    assert_int_equal(mdf_vocabulary_open(&t, c, dir, &err), MDF_ERR_FORMAT);
    assert_null(t);
    const char *behind = strstr(err.text, "tokenizer.json: ");
    assert_non_null(behind);
    assert_string_equal(behind + strlen("tokenizer.json: "), want);
}

static void a_file_is_copied_once_and_must_fit_the_model(void **state)
{
    (void)state;
    static char dir[] = "/tmp/mdf-vocabulary-XXXXXX";
    char path[64];
    mdf_tokenizer *t = NULL;
    mdf_config c = config;
    assert_non_null(mkdtemp(dir));
    (void)snprintf(path, sizeof path, "%s/tokenizer.json", dir);
    assert_int_equal(mdf_vocabulary_open(&t, &c, dir, NULL), MDF_ERR_IO);
    assert_int_equal(mdf_vocabulary_copy(dir, GOLDEN "tokenizer/none.json", NULL), MDF_ERR_IO);
    assert_int_equal(mdf_vocabulary_copy(dir, GOLDEN "tokenizer/llama3.json", NULL), MDF_OK);
    assert_int_equal(mdf_vocabulary_copy(dir, GOLDEN "tokenizer/gpt2.json", NULL), MDF_OK);
    assert_int_equal(mdf_vocabulary_open(&t, &c, dir, NULL), MDF_OK);
    assert_int_equal(mdf_tokenizer_special(t, "<|image|>"), IMAGE);
    assert_int_equal(mdf_tokenizer_size(t), IMAGE + 1);
    mdf_tokenizer_free(t);
    c.text.bos_token_id = 1;
    expect_refused(&c, dir, "<|begin_of_text|> has the id 668, but text_config.bos_token_id is 1");
    c.text.bos_token_id = BEGIN;
    c.text.vocab_size = IMAGE - 1;
    expect_refused(&c, dir,
                   "ids up to 679, but text_config.vocab_size is 678 and only <|image|> stands "
                   "behind it");
    c.text.vocab_size = IMAGE;
    c.image_token_index = IMAGE + 1;
    expect_refused(&c, dir, "added_tokens: the id of \"<|image|>\" is 679, but the model's is 680");
    assert_int_equal(remove(path), 0);
    assert_int_equal(mdf_file_write(path, "{", 1, NULL), MDF_OK);
    expect_refused(&c, dir, "byte 1: not valid JSON: string or '}' expected near end of file");
    assert_int_equal(remove(path), 0);
    assert_int_equal(remove(dir), 0);
}

static void bytes_need_no_file(void **state)
{
    (void)state;
    mdf_tokenizer *t = NULL;
    mdf_config c = config;
    c.tokenizer = MDF_TOKENIZER_BYTES;
    c.image_token_index = 264;
    assert_int_equal(mdf_vocabulary_open(&t, &c, "/nowhere", NULL), MDF_OK);
    assert_int_equal(mdf_tokenizer_special(t, "<|image|>"), 264);
    mdf_tokenizer_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_is_copied_once_and_must_fit_the_model),
        cmocka_unit_test(bytes_need_no_file),
    };
    return cmocka_run_group_tests(tests, read_config, NULL);
}
