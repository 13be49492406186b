/* SHA-256 against the examples of FIPS 180-4 and of NIST's CAVP, in pieces of every size. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/sha256.h"

static void expect(const void *data, size_t len, const char *want)
{
    mdf_sha256 s;
    char hex[MDF_SHA256_HEX + 1];
    mdf_sha256_start(&s);
    mdf_sha256_add(&s, data, len);
    mdf_sha256_hex(&s, hex);
    assert_string_equal(hex, want);
    mdf_sha256_hex(&s, hex); /* asking does not change it */
    assert_string_equal(hex, want);
}

static void the_published_examples(void **state)
{
    (void)state;
    static const uint8_t cavp_1[] = {0xd3};
    static const uint8_t cavp_4[] = {0x74, 0xba, 0x25, 0x21};
    expect("", 0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    expect("abc", 3, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    expect("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 56,
           "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    expect(
        "abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqr"
        "lmnopqrsmnopqrstnopqrstu",
        112, "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1");
    expect(cavp_1, 1, "28969cdfa74a12c82f3bad960b0b000aca2ac329deea5c2328ebc6f2ba9802c1");
    expect(cavp_4, 4, "b16aa56be3880d18cd41e68384cf1ec8c17680c45a02b1575dc1518923ae8b0e");
}

static void a_million_letters_in_pieces_of_every_size(void **state)
{
    (void)state;
    static char a[1000];
    char hex[MDF_SHA256_HEX + 1];
    memset(a, 'a', sizeof a);
    for (size_t piece = 1; piece <= sizeof a; piece = piece < 130 ? piece + 1 : piece * 2 - 3) {
        mdf_sha256 s;
        mdf_sha256_start(&s);
        for (size_t done = 0; done < 1000000;) {
            const size_t n = 1000000 - done < piece ? 1000000 - done : piece;
            mdf_sha256_add(&s, a, n);
            done += n;
        }
        mdf_sha256_hex(&s, hex);
        assert_string_equal(hex,
                            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    }
}

/* Sums of n times 'x' by coreutils' sha256sum: the lengths around the padding's borders. */
static void lengths_around_a_block(void **state)
{
    (void)state;
    static const struct {
        size_t n;
        const char *want;
    } known[] = {
        {54, "45f316e10b2c99abf374b22bda893cf3300d77263f1e272349ed414680522952"},
        {55, "d5e285683cd4efc02d021a5c62014694958901005d6f71e89e0989fac77e4072"},
        {56, "04c26261370ee7541549d16dee320c723e3fd14671e66a099afe0a377c16888e"},
        {57, "ae14a2563ccf969d99aca69ce6bb74981f734bbf9f655f73b8f06db68cab5217"},
        {63, "75220b47218278e656f2013bb8f0c455a25eaf01e86c64924e9d48d89776d6f2"},
        {64, "7ce100971f64e7001e8fe5a51973ecdfe1ced42befe7ee8d5fd6219506b5393c"},
        {65, "9537c5fdf120482f7d58d25e9ed583f52c02b4e304ea814db1633ad565aed7e9"},
        {119, "000b48d4edf0fa7bee3c6236ecd2785baa5db4eeb8bb54341b029e0d9fa5fb0c"},
        {120, "13f05a0b594787f5ecd315edc96141bd3243203d1b7d4f0836f37308b276ba98"},
        {128, "24da1b81d0b16df6428eee73c69fcb2a93c76bc6df706f0c6670fe6bfe800464"},
    };
    char x[256];
    memset(x, 'x', sizeof x);
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        expect(x, known[i].n, known[i].want);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_published_examples),
        cmocka_unit_test(a_million_letters_in_pieces_of_every_size),
        cmocka_unit_test(lengths_around_a_block),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
