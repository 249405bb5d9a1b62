package org.fhirstack.server.config;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.InputStream;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.springframework.mock.env.MockEnvironment;
import org.yaml.snakeyaml.Yaml;

/** The table of configurations, and what the table cannot hold. */
class ConfigurationCheckTest {

    @TestFactory
    Stream<DynamicTest> table() throws IOException {
        Map<String, Object> table;
        try (InputStream file = getClass().getResourceAsStream("configurations.yaml")) {
            table = new Yaml().load(file);
        }
        @SuppressWarnings("unchecked")
        Map<String, Object> base = (Map<String, Object>) table.get("base");
        @SuppressWarnings("unchecked")
        List<Map<String, Object>> cases = (List<Map<String, Object>>) table.get("cases");
        return cases.stream()
                .map(one -> DynamicTest.dynamicTest(
                        (String) one.get("name"), () -> check(base, (String) one.get("yaml"), one.get("refused"))));
    }

    private static void check(Map<String, Object> base, String yaml, Object refused) {
        List<String> problems = ConfigurationCheck.problems(Environments.of(yaml, base)).stream()
                .map(Problem::toString)
                .toList();
        if (refused == null) {
            assertThat(problems).isEmpty();
            return;
        }
        assertThat(problems).isNotEmpty();
        for (Object part : (List<?>) refused) {
            assertThat(problems).anySatisfy(problem -> assertThat(problem).contains(part.toString()));
        }
        // nothing but what the case is about
        assertThat(problems).hasSizeLessThanOrEqualTo(((List<?>) refused).size());
    }

    @Test
    void variablesThatKubernetesMakesAreNotOurs() {
        assertThat(problemsWith(Map.of(
                        "HAPI_FHIR_SERVICE_HOST", "10.0.0.1",
                        "HAPI_FHIR_PORT", "tcp://10.0.0.1:8080",
                        "HAPI_FHIR_PORT_8080_TCP_ADDR", "10.0.0.1",
                        "PATH", "/usr/bin")))
                .isEmpty();
    }

    @Test
    void variablesAreHeldToTheSameRules() {
        assertThat(problemsWith(Map.of("HAPI_FHIR_ALLOW_EXTERNAL_REFERENCES", "true", "SPRING_DATASOURCE_PASSWORD", "x")))
                .isEmpty();
        assertThat(problemsWith(Map.of("HAPI_FHIR_NO_SUCH_KEY", "1")))
                .singleElement()
                .asString()
                .contains("environment variable: HAPI_FHIR_NO_SUCH_KEY: nothing in this server reads it");
        assertThat(problemsWith(Map.of("HAPI_FHIR_MDM_ENABLED", "true")))
                .singleElement()
                .asString()
                .contains("master data management is not served");
    }

    private static List<Problem> problemsWith(Map<String, Object> variables) {
        return ConfigurationCheck.problems(Environments.withVariables(
                "", Map.of("spring.datasource.url", "jdbc:postgresql://db/hapi"), variables));
    }

    @Test
    void noSecretIsQuoted() {
        MockEnvironment environment = new MockEnvironment();
        environment.setProperty("spring.datasource.url", "jdbc:h2:mem:x;PASSWORD=hush");
        assertThat(ConfigurationCheck.problems(environment))
                .isNotEmpty()
                .allSatisfy(problem -> assertThat(problem.toString()).doesNotContain("hush"));
    }
}
