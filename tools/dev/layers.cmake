# The layer check as tests: the tree itself, and the proof that the check is able to fail. Included by tests/.
find_program(TURNPIKE_PYTHON NAMES python3 REQUIRED)
add_test(NAME layers COMMAND ${TURNPIKE_PYTHON} ${PROJECT_SOURCE_DIR}/tools/dev/check_layers.py)
add_test(NAME layers_self_test COMMAND ${TURNPIKE_PYTHON} ${PROJECT_SOURCE_DIR}/tools/dev/check_layers.py --self-test)
set_tests_properties(layers layers_self_test PROPERTIES LABELS unit TIMEOUT 60)
