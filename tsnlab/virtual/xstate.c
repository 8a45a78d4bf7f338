/*
 * Lets user-mode Linux before 6.13 run on processors with AMX.
 *
 * Such a kernel saves 2696 bytes of a process' extended state (x87 to AVX-512 and PKRU) and writes the same
 * number back. A host kernel on a processor with AMX takes the whole state (11008 bytes) or nothing, so that
 * every process of the guest would die at its first instruction ("ptrace set fp regs failed, errno = 14").
 * This library is preloaded into the guest kernel: it writes back what was saved, followed by zeros, which say
 * that the tile registers are unused - as they are in a guest that never saw them.
 *
 * Sources: the kernel's arch/x86/um/user-offsets.c (HOST_FP_SIZE) and arch/x86/kernel/fpu/regset.c.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/types.h>
#include <sys/uio.h>

#ifndef NT_X86_XSTATE
#define NT_X86_XSTATE 0x202
#endif

typedef long (*ptrace_function)(int, pid_t, void *, void *);

long ptrace(enum __ptrace_request request, ...)
{
	static ptrace_function original;
	static char state[1 << 16];
	static size_t size;
	struct iovec *given, whole;
	va_list arguments;
	pid_t pid;
	void *address, *data;

	va_start(arguments, request);
	pid = va_arg(arguments, pid_t);
	address = va_arg(arguments, void *);
	data = va_arg(arguments, void *);
	va_end(arguments);

	if (!original)
		original = (ptrace_function)dlsym(RTLD_NEXT, "ptrace");
	if (request != PTRACE_SETREGSET || (long)address != NT_X86_XSTATE)
		return original(request, pid, address, data);

	given = data;
	if (!size) {
		whole.iov_base = state;
		whole.iov_len = sizeof(state);
		if (original(PTRACE_GETREGSET, pid, address, &whole) < 0)
			return -1;
		size = whole.iov_len;
		memset(state, 0, sizeof(state));
	}
	if (given->iov_len >= size)
		return original(request, pid, address, data);
	memcpy(state, given->iov_base, given->iov_len);
	whole.iov_base = state;
	whole.iov_len = size;
	return original(request, pid, address, &whole);
}
