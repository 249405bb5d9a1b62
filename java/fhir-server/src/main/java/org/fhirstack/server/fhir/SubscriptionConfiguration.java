package org.fhirstack.server.fhir;

import ca.uhn.fhir.jpa.model.config.SubscriptionSettings;
import ca.uhn.fhir.jpa.subscription.channel.config.SubscriptionChannelConfig;
import ca.uhn.fhir.jpa.subscription.match.config.SubscriptionProcessorConfig;
import ca.uhn.fhir.jpa.subscription.match.deliver.email.IEmailSender;
import ca.uhn.fhir.jpa.subscription.submit.config.SubscriptionSubmitterConfig;
import org.fhirstack.server.config.SubscriptionProperties;
import org.hl7.fhir.dstu2.model.Subscription.SubscriptionChannelType;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.context.annotation.Import;

/** HAPI's storage and batch jobs need its channels even when no subscription is served. */
@Configuration(proxyBeanMethods = false)
@Import({SubscriptionSubmitterConfig.class, SubscriptionChannelConfig.class, SubscriptionProcessorConfig.class})
public class SubscriptionConfiguration {

    @Bean
    SubscriptionSettings subscriptionSettings(SubscriptionProperties properties) {
        SubscriptionSettings settings = new SubscriptionSettings();
        if (properties.resthookEnabled()) {
            settings.addSupportedSubscriptionType(SubscriptionChannelType.RESTHOOK);
        }
        if (properties.pollingIntervalMs() != null) {
            settings.setSubscriptionIntervalInMs(properties.pollingIntervalMs());
        }
        settings.setSubscriptionChangeQueuedImmediately(properties.immediatelyQueued());
        return settings;
    }

    /** HAPI asks for one though no subscription of that kind is accepted. */
    @Bean
    IEmailSender emailSender() {
        return details -> {
            throw new UnsupportedOperationException("email subscriptions are not served");
        };
    }
}
