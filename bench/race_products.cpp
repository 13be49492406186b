/* Products with weights in blocks, ggml (llama.cpp) against mdf's gemm_weight, in turns within one
 * process.
 *
 *     race_products [THREADS] [ROUNDS] [ONLY]      ONLY: part of a row's name, as "q8_0 1x4096"
 *
 * ggml runs its own graph of one product, for Q4_0 and Q4_K also with its repacked weights (for the
 * others it has none on x86). A single row reads weights that no cache holds. Prints the medians in
 * GFLOP/s of wall clock and of processor time (which other work on the machine disturbs less), the
 * ratio to the faster of ggml's two, and how far the results are apart. Built and run by
 * race_products.sh.
 */
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <string>
#include <vector>

#include "ggml-alloc.h"
#include "ggml-backend.h"
#include "ggml-cpu.h"
#include "ggml.h"
#include "race_products.h"

namespace
{

enum { PLAIN, REPACKED, MDF, RUNNERS };
const double MUCH = 2e9;              /* operations of a turn, at least */
const size_t COLD_BYTES = 160000000U; /* beyond the caches */

struct shape {
    int64_t m, n, k;
};
const shape shapes[] = {{256, 4096, 4096},  {256, 14336, 4096}, {256, 4096, 14336},
                        {1601, 5120, 1280}, {256, 576, 576},    {256, 1536, 576},
                        {256, 576, 1536},   {1, 4096, 4096},    {1, 14336, 4096},
                        {1, 576, 576},      {1, 1536, 576},     {1, 576, 1536}};

struct product {
    ggml_context *weights, *rest;
    ggml_backend_buffer_t buffer;
    ggml_gallocr_t memory;
    ggml_cgraph *graph;
    ggml_tensor *y;
};

void quiet(ggml_log_level, const char *, void *)
{
}

double seconds(clockid_t clock)
{
    timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

product make(ggml_backend_t cpu, ggml_backend_buffer_type_t kind, ggml_type type, const shape &s,
             const std::vector<uint8_t> &w, const std::vector<float> &x)
{
    product p;
    const ggml_init_params room = {ggml_tensor_overhead() * 8 + ggml_graph_overhead(), nullptr,
                                   true};
    p.weights = ggml_init(room);
    ggml_tensor *weight = ggml_new_tensor_2d(p.weights, type, s.k, s.n);
    p.buffer = ggml_backend_alloc_ctx_tensors_from_buft(p.weights, kind);
    if (p.buffer == nullptr) {
        std::fprintf(stderr, "race_products: ggml has no memory\n");
        std::exit(1);
    }
    ggml_backend_buffer_set_usage(p.buffer, GGML_BACKEND_BUFFER_USAGE_WEIGHTS);
    ggml_backend_tensor_set(weight, w.data(), 0, w.size());
    p.rest = ggml_init(room);
    ggml_tensor *in = ggml_new_tensor_2d(p.rest, GGML_TYPE_F32, s.k, s.m);
    ggml_set_input(in);
    p.y = ggml_mul_mat(p.rest, weight, in);
    ggml_set_output(p.y);
    p.graph = ggml_new_graph(p.rest);
    ggml_build_forward_expand(p.graph, p.y);
    p.memory = ggml_gallocr_new(ggml_backend_get_default_buffer_type(cpu));
    ggml_gallocr_alloc_graph(p.memory, p.graph);
    ggml_backend_tensor_set(in, x.data(), 0, sizeof(float) * (size_t)(s.m * s.k));
    return p;
}

void drop(product &p)
{
    ggml_gallocr_free(p.memory);
    ggml_backend_buffer_free(p.buffer);
    ggml_free(p.weights);
    ggml_free(p.rest);
}

double median(std::vector<double> v)
{
    std::sort(v.begin(), v.end());
    return v.empty() ? INFINITY : v[v.size() / 2];
}

/* Root of the mean squared difference as a share of a's. */
double apart(const std::vector<float> &a, const std::vector<float> &b)
{
    double off = 0;
    double all = 0;
    for (size_t i = 0; i < a.size(); i++) {
        off += std::pow((double)a[i] - (double)b[i], 2);
        all += std::pow((double)a[i], 2);
    }
    return std::sqrt(off / all);
}

/* The weights in ggml's special order for this CPU, or none. */
ggml_backend_buffer_type_t repacked_kind(ggml_backend_t cpu)
{
    ggml_backend_dev_t device = ggml_backend_get_device(cpu);
    void *address = ggml_backend_reg_get_proc_address(ggml_backend_dev_backend_reg(device),
                                                      "ggml_backend_dev_get_extra_bufts");
    auto list = reinterpret_cast<ggml_backend_dev_get_extra_bufts_t>(address);
    for (ggml_backend_buffer_type_t *kind = list == nullptr ? nullptr : list(device);
         kind != nullptr && *kind != nullptr; kind++) {
        if (std::strstr(ggml_backend_buft_name(*kind), "REPACK") != nullptr) {
            return *kind;
        }
    }
    return nullptr;
}

void race(ggml_backend_t cpu, ggml_backend_buffer_type_t repacked, ggml_type type, const shape &s,
          const char *name, const std::vector<float> &numbers, const std::vector<float> &x,
          int rounds)
{
    std::vector<uint8_t> w(ggml_row_size(type, s.k) * (size_t)s.n);
    ggml_quantize_chunk(type, numbers.data(), w.data(), 0, s.n, s.k, nullptr);
    const size_t copies = s.m == 1 ? std::max<size_t>(1, COLD_BYTES / w.size()) : 1;
    const std::vector<std::vector<uint8_t>> ours(copies, w);
    std::vector<product> theirs[2];
    for (size_t c = 0; c < copies; c++) {
        theirs[PLAIN].push_back(
            make(cpu, ggml_backend_get_default_buffer_type(cpu), type, s, w, x));
        if (repacked != nullptr) {
            theirs[REPACKED].push_back(make(cpu, repacked, type, s, w, x));
        }
    }
    std::vector<float> y((size_t)(s.m * s.n));
    std::vector<double> wall[RUNNERS], cpu_time[RUNNERS];
    const double operations = 2.0 * (double)(s.m * s.n) * (double)s.k;
    const size_t times = s.m == 1 ? copies : std::max<size_t>(1, (size_t)(MUCH / operations));
    for (int i = -1; i < rounds; i++) {
        for (int who = 0; who < RUNNERS; who++) {
            if (who == REPACKED && repacked == nullptr) {
                continue;
            }
            const double start = seconds(CLOCK_MONOTONIC);
            const double cpu_start = seconds(CLOCK_PROCESS_CPUTIME_ID);
            for (size_t j = 0; j < times; j++) {
                if (who == MDF) {
                    mdf_product_run(ggml_type_name(type), ours[j % copies].data(), s.m, s.n, s.k,
                                    x.data(), y.data());
                } else {
                    ggml_backend_graph_compute(cpu, theirs[who][j % copies].graph);
                }
            }
            if (i >= 0) { /* the first turn warms up */
                wall[who].push_back((seconds(CLOCK_MONOTONIC) - start) / (double)times);
                cpu_time[who].push_back((seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu_start) /
                                        (double)times);
            }
        }
    }
    std::vector<float> z(y.size());
    ggml_backend_tensor_get(theirs[PLAIN][0].y, z.data(), 0, sizeof(float) * z.size());
    std::printf("%-20s", name);
    for (int who = 0; who < RUNNERS; who++) {
        std::printf(" %7.1f %7.1f", operations / median(wall[who]) * 1e-9,
                    operations / median(cpu_time[who]) * 1e-9);
    }
    std::printf("  %5.2f %5.2f %8.1e",
                std::min(median(wall[PLAIN]), median(wall[REPACKED])) / median(wall[MDF]),
                std::min(median(cpu_time[PLAIN]), median(cpu_time[REPACKED])) /
                    median(cpu_time[MDF]),
                apart(z, y));
    if (s.m == 1) {
        std::printf("  %.1f GB/s", (double)w.size() / median(wall[MDF]) * 1e-9);
    }
    std::printf("\n");
    std::fflush(stdout);
    for (std::vector<product> &list : theirs) {
        std::for_each(list.begin(), list.end(), drop);
    }
}

std::vector<float> noise(size_t n, float scale, uint32_t seed)
{
    std::vector<float> v(n);
    for (float &x : v) {
        seed = seed * 1664525U + 1013904223U;
        x = (float)((int)(seed >> 16) - 32768) / 32768 * scale;
    }
    return v;
}

} // namespace

int main(int argc, char **argv)
{
    const int threads = argc > 1 ? std::atoi(argv[1]) : 1;
    const int rounds = argc > 2 ? std::atoi(argv[2]) : 5;
    const char *only = argc > 3 ? argv[3] : "";
    ggml_log_set(quiet, nullptr);
    ggml_backend_t cpu = ggml_backend_cpu_init();
    ggml_backend_cpu_set_n_threads(cpu, threads);
    if (mdf_product_open(threads) != 0 || rounds < 1) {
        std::fprintf(stderr, "race_products: can't start mdf's kernels\n");
        return 1;
    }
    const std::vector<float> numbers = noise((size_t)14336 * 4096, 0.05F, 1);
    const std::vector<float> x = noise((size_t)1601 * 14336, 1, 2);
    std::printf(
        "%d threads, mdf's kernels: %s, medians of %d; GFLOP/s of wall clock and of processor "
        "time\n",
        threads, mdf_product_isa(), rounds);
    std::printf("%-20s %15s %15s %15s  %11s %8s\n", "", "ggml", "ggml, repacked", "mdf", "ratios",
                "apart");
    for (const ggml_type type :
         {GGML_TYPE_Q8_0, GGML_TYPE_Q4_0, GGML_TYPE_Q4_K, GGML_TYPE_Q5_K, GGML_TYPE_Q6_K}) {
        for (const shape &s : shapes) {
            if (s.k % ggml_blck_size(type) != 0) {
                continue;
            }
            const std::string name = std::string(ggml_type_name(type)) + " " + std::to_string(s.m) +
                                     "x" + std::to_string(s.n) + "x" + std::to_string(s.k);
            if (name.find(only) != std::string::npos) {
                const bool four = type == GGML_TYPE_Q4_0 || type == GGML_TYPE_Q4_K;
                race(cpu, four ? repacked_kind(cpu) : nullptr, type, s, name.c_str(), numbers, x,
                     rounds);
            }
        }
    }
    ggml_backend_free(cpu);
    return 0;
}
