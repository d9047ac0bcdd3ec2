GPR_FILES += core/memory_fast.c
