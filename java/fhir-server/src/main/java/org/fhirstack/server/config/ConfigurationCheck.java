package org.fhirstack.server.config;

import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;
import org.fhirstack.server.ExitCode;
import org.fhirstack.server.StartupException;
import org.springframework.boot.context.event.ApplicationEnvironmentPreparedEvent;
import org.springframework.boot.context.logging.LoggingApplicationListener;
import org.springframework.context.ApplicationListener;
import org.springframework.core.Ordered;
import org.springframework.core.env.ConfigurableEnvironment;

/**
 * Refuses a configuration that would not be honoured in full. The hapiproject/hapi image ignores keys it does not know;
 * operators then run with settings they believe to have changed.
 */
public class ConfigurationCheck implements ApplicationListener<ApplicationEnvironmentPreparedEvent>, Ordered {

    /** After the files have been read and the log has been set up. */
    @Override
    public int getOrder() {
        return LoggingApplicationListener.DEFAULT_ORDER + 10;
    }

    @Override
    public void onApplicationEvent(ApplicationEnvironmentPreparedEvent event) {
        List<Problem> problems = problems(event.getEnvironment());
        if (!problems.isEmpty()) {
            throw new StartupException(
                    ExitCode.CONFIGURATION,
                    problems.stream()
                            .map(Problem::toString)
                            .collect(Collectors.joining(
                                    "\n  ", "the configuration cannot be honoured; nothing was started\n  ", "")));
        }
    }

    /** All that is wrong: with single keys first, and only if their values can be read, with combinations. */
    static List<Problem> problems(ConfigurableEnvironment environment) {
        List<Problem> problems = new ArrayList<>(new KeyCheck(new AcceptedKeys(), environment).problems());
        List<Problem> unreadable = new BindingCheck(environment).problems();
        unreadable.stream()
                .filter(problem -> problems.stream().noneMatch(known -> known.isAbout(problem.key())))
                .forEach(problems::add);
        if (unreadable.isEmpty()) {
            problems.addAll(new CombinationCheck(environment).problems());
        }
        return problems;
    }
}
