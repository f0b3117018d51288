/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A library to be loaded before all others (LD_PRELOAD): lets chosen calls of a real process fail. SL_FAULTS names the
 * file with the plan (faults.h); without it nothing fails. Under a sanitizer it comes second, and LD_BIND_NOW is set.
 */
#include "tests/torture/faults.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

/* Of the C library, for the calls before the real ones are known: asking for them may allocate. */
/* NOLINTBEGIN(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp,readability-identifier-naming) libc's names */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *ptr, size_t size);
/* NOLINTEND(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp,readability-identifier-naming) */

static struct sl_faults *faults;
static uintptr_t program_begin, program_end;

/* The next definition of a function: of a sanitizer, or of the C library. */
#define REAL(name)                             \
    static __typeof__(&name) real;             \
    if (!real) {                               \
        void *found = dlsym(RTLD_NEXT, #name); \
        memcpy(&real, &found, sizeof found);   \
    }

/* ---- the plan ---- */

/* The first object is the program. */
static int faults_on_object(struct dl_phdr_info *info, size_t size, void *arg)
{
    (void)size;
    (void)arg;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *p = &info->dlpi_phdr[i];
        uintptr_t begin = info->dlpi_addr + p->p_vaddr;
        if (p->p_type != PT_LOAD)
            continue;
        if (program_begin == 0)
            program_begin = begin;
        program_end = begin + p->p_memsz;
    }
    return 1;
}

/* Counts the call and says whether it fails. */
static bool faults_hit(enum sl_fault_kind kind)
{
    struct sl_faults *f = __atomic_load_n(&faults, __ATOMIC_ACQUIRE);
    if (!f)
        return false;
    struct sl_fault_plan *p = &f->plans[kind];
    uint64_t number = __atomic_add_fetch(&p->calls, 1, __ATOMIC_RELAXED);
    if (p->first == 0 || number < p->first || number - p->first >= p->count)
        return false;
    if (p->every > 1 && (number - p->first) % p->every != 0)
        return false;
    __atomic_add_fetch(&p->failed, 1, __ATOMIC_RELAXED);
    return true;
}

static enum sl_fault_how faults_how(enum sl_fault_kind kind)
{
    return (enum sl_fault_how)faults->plans[kind].how;
}

/* ---- memory ---- */

static bool alloc_fails(const void *caller)
{
    bool is_own = (uintptr_t)caller >= program_begin && (uintptr_t)caller < program_end;
    bool fails = is_own && faults_hit(SL_FAULT_OWN_ALLOC);
    fails |= faults_hit(SL_FAULT_ANY_ALLOC);
    if (fails)
        errno = ENOMEM;
    return fails;
}

static _Thread_local bool is_asking;

#define REAL_ALLOC(name)                       \
    static __typeof__(&name) real;             \
    if (!real && !is_asking) {                 \
        is_asking = true;                      \
        void *found = dlsym(RTLD_NEXT, #name); \
        memcpy(&real, &found, sizeof found);   \
        is_asking = false;                     \
    }

void *malloc(size_t size)
{
    REAL_ALLOC(malloc)
    if (!real)
        return __libc_malloc(size);
    return alloc_fails(__builtin_return_address(0)) ? NULL : real(size);
}

void *calloc(size_t nmemb, size_t size)
{
    REAL_ALLOC(calloc)
    if (!real)
        return __libc_calloc(nmemb, size);
    return alloc_fails(__builtin_return_address(0)) ? NULL : real(nmemb, size);
}

void *realloc(void *ptr, size_t size)
{
    REAL_ALLOC(realloc)
    if (!real)
        return __libc_realloc(ptr, size);
    return alloc_fails(__builtin_return_address(0)) ? NULL : real(ptr, size);
}

/* ---- memory under a sanitizer ---- */

/*
 * ASan and TSan have to come first among the libraries, so the functions above are never called. The objects have their
 * slots for these functions filled with ours instead; ours call the sanitizer's.
 */
static void *sanitized_malloc(size_t size)
{
    return alloc_fails(__builtin_return_address(0)) ? NULL : malloc(size);
}

static void *sanitized_calloc(size_t nmemb, size_t size)
{
    return alloc_fails(__builtin_return_address(0)) ? NULL : calloc(nmemb, size);
}

static void *sanitized_realloc(void *ptr, size_t size)
{
    return alloc_fails(__builtin_return_address(0)) ? NULL : realloc(ptr, size);
}

static const struct redirect {
    const char *name;
    void *to;
} redirects[] = {
    { "malloc", (void *)sanitized_malloc },
    { "calloc", (void *)sanitized_calloc },
    { "realloc", (void *)sanitized_realloc },
};

static void slot_fill(void **slot, void *value)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), begin = (uintptr_t)slot & ~(page - 1);
    if (mprotect((void *)begin, page, PROT_READ | PROT_WRITE) == 0) /* read-only since it was bound */
        *slot = value;
}

static void redirect_symbol(const char *name, void **slot)
{
    for (size_t i = 0; i < sizeof redirects / sizeof *redirects; i++) {
        if (strcmp(name, redirects[i].name) == 0 && *slot == dlsym(RTLD_DEFAULT, name))
            slot_fill(slot, redirects[i].to);
    }
}

/* The tables of an object that say where its slots are. */
struct dynamic {
    const ElfW(Sym) * symbols;
    const char *names;
    const ElfW(Rela) * slots[2];
    size_t counts[2];
};

static struct dynamic dynamic_of(ElfW(Addr) base, const ElfW(Dyn) * entry)
{
    struct dynamic d = { 0 };
    for (; entry->d_tag != DT_NULL; entry++) {
        uintptr_t at = entry->d_un.d_ptr < base ? base + entry->d_un.d_ptr : entry->d_un.d_ptr;
        switch (entry->d_tag) {
        case DT_SYMTAB:
            d.symbols = (const ElfW(Sym) *)at;
            break;
        case DT_STRTAB:
            d.names = (const char *)at;
            break;
        case DT_RELA:
            d.slots[0] = (const ElfW(Rela) *)at;
            break;
        case DT_RELASZ:
            d.counts[0] = entry->d_un.d_val / sizeof(ElfW(Rela));
            break;
        case DT_JMPREL:
            d.slots[1] = (const ElfW(Rela) *)at;
            break;
        case DT_PLTRELSZ:
            d.counts[1] = entry->d_un.d_val / sizeof(ElfW(Rela));
            break;
        default:
            break;
        }
    }
    return d;
}

/* What the allocator itself is made of keeps its own. */
static bool is_left_alone(const char *object)
{
    static const char *const names[] = {
        "san.so", "libsl_faults", "libc.so", "ld-linux", "libgcc", "libstdc++", "vdso"
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strstr(object, names[i]))
            return true;
    }
    return false;
}

static int redirect_object(struct dl_phdr_info *info, size_t size, void *arg)
{
    (void)size;
    (void)arg;
    if (is_left_alone(info->dlpi_name))
        return 0;
    struct dynamic d = { 0 };
    for (int i = 0; i < info->dlpi_phnum; i++) {
        if (info->dlpi_phdr[i].p_type == PT_DYNAMIC)
            d = dynamic_of(info->dlpi_addr, (const ElfW(Dyn) *)(info->dlpi_addr + info->dlpi_phdr[i].p_vaddr));
    }
    for (size_t table = 0; table < 2; table++) {
        for (size_t i = 0; d.slots[table] && i < d.counts[table]; i++) {
            const ElfW(Rela) *r = &d.slots[table][i];
            if (ELF64_R_SYM(r->r_info) != 0)
                redirect_symbol(d.names + d.symbols[ELF64_R_SYM(r->r_info)].st_name,
                                (void **)(info->dlpi_addr + r->r_offset));
        }
    }
    return 0;
}

static bool is_sanitized(void)
{
    return dlsym(RTLD_DEFAULT, "__asan_init") || dlsym(RTLD_DEFAULT, "__tsan_init");
}

/* ---- files ---- */

static bool disk_is_meant(int fd)
{
    char name[32], path[512];
    if (!faults || faults->path[0] == '\0')
        return false;
    memcpy(name, "/proc/self/fd/", 14);
    size_t len = 14, digits = 0;
    char reversed[12];
    for (int rest = fd; rest > 0 || digits == 0; rest /= 10)
        reversed[digits++] = (char)('0' + rest % 10);
    while (digits > 0)
        name[len++] = reversed[--digits];
    name[len] = '\0';
    ssize_t got = readlink(name, path, sizeof path - 1);
    if (got < 0)
        return false;
    path[got] = '\0';
    return strstr(path, faults->path) != NULL;
}

/* False: the call is made, with *size bytes. */
static bool disk_fails(int fd, size_t *size)
{
    int saved = errno;
    if (fd < 0 || !disk_is_meant(fd) || !faults_hit(SL_FAULT_DISK)) {
        errno = saved;
        return false;
    }
    switch (faults_how(SL_FAULT_DISK)) {
    case SL_FAULT_SHORT:
        if (*size > 1) {
            *size /= 2;
            errno = saved;
            return false;
        }
        errno = EIO;
        return true;
    case SL_FAULT_INTERRUPT:
        errno = EINTR;
        return true;
    case SL_FAULT_FULL:
        errno = ENOSPC;
        return true;
    case SL_FAULT_HARD:
        break;
    }
    errno = EIO;
    return true;
}

ssize_t pwrite(int fd, const void *buf, size_t n, off_t offset)
{
    REAL(pwrite)
    return disk_fails(fd, &n) ? -1 : real(fd, buf, n, offset);
}

ssize_t pwrite64(int fd, const void *buf, size_t n, off64_t offset)
{
    REAL(pwrite64)
    return disk_fails(fd, &n) ? -1 : real(fd, buf, n, offset);
}

int fsync(int fd)
{
    size_t none = 0;
    REAL(fsync)
    return disk_fails(fd, &none) ? -1 : real(fd);
}

int fdatasync(int fildes)
{
    size_t none = 0;
    REAL(fdatasync)
    return disk_fails(fildes, &none) ? -1 : real(fildes);
}

int ftruncate(int fd, off_t length)
{
    size_t none = 0;
    REAL(ftruncate)
    return disk_fails(fd, &none) ? -1 : real(fd, length);
}

int ftruncate64(int fd, off64_t length)
{
    size_t none = 0;
    REAL(ftruncate64)
    return disk_fails(fd, &none) ? -1 : real(fd, length);
}

/* ---- sockets ---- */

static bool socket_is_meant(int fd)
{
    int domain = 0;
    socklen_t size = sizeof domain;
    if (!faults || getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) != 0)
        return false;
    return domain == AF_INET || domain == AF_INET6;
}

/* False: the call is made, with *size bytes. */
static bool socket_fails(int fd, size_t *size)
{
    int saved = errno;
    if (!socket_is_meant(fd) || !faults_hit(SL_FAULT_SOCKET)) {
        errno = saved;
        return false;
    }
    switch (faults_how(SL_FAULT_SOCKET)) {
    case SL_FAULT_SHORT:
        *size = *size > 1 ? 1 : *size;
        errno = saved;
        return false;
    case SL_FAULT_INTERRUPT:
        errno = EINTR;
        return true;
    case SL_FAULT_HARD:
    case SL_FAULT_FULL:
        break;
    }
    shutdown(fd, SHUT_RDWR); /* a connection that was reset stays so */
    errno = ECONNRESET;
    return true;
}

/* The beginning of what iov says, of at most `size` bytes. */
static struct iovec first_of(const struct iovec *iov, size_t count, size_t size)
{
    for (size_t i = 0; i < count; i++) {
        if (iov[i].iov_len > 0)
            return (struct iovec){ iov[i].iov_base, iov[i].iov_len < size ? iov[i].iov_len : size };
    }
    return (struct iovec){ 0 };
}

static size_t bytes_of(const struct iovec *iov, size_t count)
{
    size_t size = 0;
    for (size_t i = 0; i < count; i++)
        size += iov[i].iov_len;
    return size;
}

ssize_t read(int fd, void *buf, size_t nbytes)
{
    REAL(read)
    return socket_fails(fd, &nbytes) ? -1 : real(fd, buf, nbytes);
}

ssize_t write(int fd, const void *buf, size_t n)
{
    REAL(write)
    return socket_fails(fd, &n) || disk_fails(fd, &n) ? -1 : real(fd, buf, n);
}

ssize_t recv(int fd, void *buf, size_t n, int flags)
{
    REAL(recv)
    return socket_fails(fd, &n) ? -1 : real(fd, buf, n, flags);
}

ssize_t send(int fd, const void *buf, size_t n, int flags)
{
    REAL(send)
    return socket_fails(fd, &n) ? -1 : real(fd, buf, n, flags);
}

ssize_t readv(int fd, const struct iovec *iovec, int count)
{
    REAL(readv)
    size_t all = bytes_of(iovec, (size_t)count), size = all;
    if (socket_fails(fd, &size))
        return -1;
    struct iovec one = first_of(iovec, (size_t)count, size);
    return size < all ? real(fd, &one, 1) : real(fd, iovec, count);
}

ssize_t writev(int fd, const struct iovec *iovec, int count)
{
    REAL(writev)
    size_t all = bytes_of(iovec, (size_t)count), size = all;
    if (socket_fails(fd, &size) || disk_fails(fd, &size))
        return -1;
    struct iovec one = first_of(iovec, (size_t)count, size);
    return size < all ? real(fd, &one, 1) : real(fd, iovec, count);
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
    REAL(sendmsg)
    struct msghdr shorter = *message;
    size_t all = bytes_of(message->msg_iov, message->msg_iovlen), size = all;
    if (socket_fails(fd, &size))
        return -1;
    struct iovec one = first_of(message->msg_iov, message->msg_iovlen, size);
    shorter.msg_iov = &one;
    shorter.msg_iovlen = 1;
    return real(fd, size < all ? &shorter : message, flags);
}

ssize_t recvmsg(int fd, struct msghdr *message, int flags)
{
    size_t ignored = 0;
    REAL(recvmsg)
    return socket_fails(fd, &ignored) ? -1 : real(fd, message, flags);
}

/* An interrupted connect goes on behind the caller. */
int connect(int fd, const struct sockaddr *addr, socklen_t len)
{
    size_t none = 0;
    REAL(connect)
    if (!socket_fails(fd, &none))
        return real(fd, addr, len);
    if (faults_how(SL_FAULT_SOCKET) != SL_FAULT_INTERRUPT) {
        errno = ECONNREFUSED;
        return -1;
    }
    int result = real(fd, addr, len);
    if (result != 0 && errno == EINPROGRESS)
        errno = EINTR;
    return result;
}

/* The listener is sound whatever became of one connection. */
static bool accept_fails(int fd)
{
    int saved = errno;
    if (!socket_is_meant(fd) || !faults_hit(SL_FAULT_SOCKET)) {
        errno = saved;
        return false;
    }
    switch (faults_how(SL_FAULT_SOCKET)) {
    case SL_FAULT_HARD:
        errno = ECONNABORTED;
        return true;
    case SL_FAULT_FULL:
        errno = EMFILE;
        return true;
    case SL_FAULT_INTERRUPT:
    case SL_FAULT_SHORT:
        break;
    }
    errno = EINTR;
    return true;
}

int accept(int fd, struct sockaddr *addr, socklen_t *addr_len)
{
    REAL(accept)
    return accept_fails(fd) ? -1 : real(fd, addr, addr_len);
}

int accept4(int fd, struct sockaddr *addr, socklen_t *addr_len, int flags)
{
    REAL(accept4)
    return accept_fails(fd) ? -1 : real(fd, addr, addr_len, flags);
}

/* ---- the beginning ---- */

__attribute__((constructor)) static void faults_open(void)
{
    const char *path = getenv("SL_FAULTS");
    int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    if (fd < 0)
        return;
    void *map = mmap(NULL, sizeof *faults, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    dl_iterate_phdr(faults_on_object, NULL);
    if (is_sanitized())
        dl_iterate_phdr(redirect_object, NULL);
    if (map != MAP_FAILED)
        __atomic_store_n(&faults, map, __ATOMIC_RELEASE);
}
