package org.fhirstack.server.database;

import java.sql.DriverManager;
import java.sql.SQLException;
import java.time.Duration;
import java.util.Properties;
import org.fhirstack.server.ExitCode;
import org.fhirstack.server.StartupException;
import org.fhirstack.server.config.DatabaseProperties;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.springframework.boot.context.properties.bind.Binder;
import org.springframework.context.ApplicationContextInitializer;
import org.springframework.context.ConfigurableApplicationContext;
import org.springframework.core.env.Environment;

/**
 * Waits for the database before anything is built on it. The reason for a refusal makes no difference: after a fresh
 * installation the server, the database and the role can each be the last to come.
 */
public class DatabaseWait implements ApplicationContextInitializer<ConfigurableApplicationContext> {
    private static final Logger LOG = LoggerFactory.getLogger(DatabaseWait.class);
    private static final String ATTEMPT_TIMEOUT_SECONDS = "5";

    @Override
    public void initialize(ConfigurableApplicationContext context) {
        Environment environment = context.getEnvironment();
        DatabaseProperties limits =
                Binder.get(environment).bindOrCreate("fhirstack.database", DatabaseProperties.class);
        Properties login = new Properties();
        login.setProperty("loginTimeout", ATTEMPT_TIMEOUT_SECONDS);
        login.setProperty("connectTimeout", ATTEMPT_TIMEOUT_SECONDS);
        login.setProperty("ApplicationName", "fhir-server-start");
        put(login, "user", environment.getProperty("spring.datasource.username"));
        put(login, "password", environment.getProperty("spring.datasource.password"));
        await(environment.getRequiredProperty("spring.datasource.url"), login, limits);
    }

    private static void put(Properties login, String name, String value) {
        if (value != null) {
            login.setProperty(name, value);
        }
    }

    private static void await(String url, Properties login, DatabaseProperties limits) {
        long deadline = System.nanoTime() + limits.waitFor().toNanos();
        for (int attempt = 1; ; attempt++) {
            try {
                DriverManager.getConnection(url, login).close();
                if (attempt > 1) {
                    LOG.info("the database answers after {} attempts", attempt);
                }
                return;
            } catch (SQLException e) {
                Duration left = Duration.ofNanos(deadline - System.nanoTime());
                if (left.compareTo(limits.retryInterval()) < 0) {
                    throw new StartupException(
                            ExitCode.DATABASE_UNAVAILABLE,
                            "the database at " + withoutParameters(url) + " could not be reached within "
                                    + limits.waitFor().toSeconds() + " s: " + e.getMessage());
                }
                LOG.info(
                        "waiting for the database at {} (attempt {}, {} s left): {}",
                        withoutParameters(url),
                        attempt,
                        left.toSeconds(),
                        e.getMessage());
                sleep(limits.retryInterval());
            }
        }
    }

    /** Parameters of the URL may hold a password. */
    static String withoutParameters(String url) {
        int query = url.indexOf('?');
        return query < 0 ? url : url.substring(0, query);
    }

    private static void sleep(Duration duration) {
        try {
            Thread.sleep(duration.toMillis());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new StartupException(ExitCode.DATABASE_UNAVAILABLE, "interrupted while waiting for the database", e);
        }
    }
}
