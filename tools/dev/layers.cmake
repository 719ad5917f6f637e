# Runs the layer check as tests: for the source tree, and for the check itself. tests/ includes this file.
find_program(TURNPIKE_PYTHON NAMES python3 REQUIRED)
add_test(NAME layers COMMAND ${TURNPIKE_PYTHON} ${PROJECT_SOURCE_DIR}/tools/dev/check_layers.py)
add_test(NAME layers_self_test COMMAND ${TURNPIKE_PYTHON} ${PROJECT_SOURCE_DIR}/tools/dev/check_layers.py --self-test)
set_tests_properties(layers layers_self_test PROPERTIES LABELS unit TIMEOUT 60)
